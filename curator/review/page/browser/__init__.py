"""What the page is made of in a browser; `curator.review.page.site` serves it."""
