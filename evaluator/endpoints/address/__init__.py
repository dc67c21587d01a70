"""An address: what options say of it, and what comes of that once it is read and checked."""
