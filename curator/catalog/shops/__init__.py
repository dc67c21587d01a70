"""What is known of the tables that shops export; one file a shop, one registry."""
