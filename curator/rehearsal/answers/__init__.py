"""What the rehearsal answers: known questions and answers about known images."""
