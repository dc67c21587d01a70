"""From shards of questions to answers, by replicas of one model."""
