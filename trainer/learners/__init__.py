"""What training needs of each family of models, behind one interface."""
