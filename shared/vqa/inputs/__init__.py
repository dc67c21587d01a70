"""What a model is given: pictures as pixels, and questions as they are asked."""
