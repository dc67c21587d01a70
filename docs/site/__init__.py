"""What makes the site out of the documents and the code; ``mkdocs.yml`` names its hook."""
