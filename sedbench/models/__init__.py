"""Classifiers that can be explained: the contract, the front end, weights and training."""
