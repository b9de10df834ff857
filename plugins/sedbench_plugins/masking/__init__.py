"""Logits of one clip under many masks over segments of time: what masking methods share.

``cuts``      a clip's time in segments, their edges on whole feature frames or on samples
``content``   what stands where something is masked: silence, the mean frame, or noise
``clip``      the logits of a clip under masks, each asked for once, for all classes together
``locality``  which segments a model's frame logits depend on
``trunk``     masked clips that passed a frozen trunk, kept for other heads and methods
``plan``      the masked clips to pass so that many others can be put together from their frames

A mask has a value a segment: True is left as it is, False is replaced. No entry point: this is
no plugin of its own.
"""
