"""What is asked: the prompt, the form of the reply, and what of a request its tokens depend on."""
