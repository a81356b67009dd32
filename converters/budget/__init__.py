"""The best model within a budget of MACs or milliseconds, found on unlabeled images."""
