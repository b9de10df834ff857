"""The built-in plugins: methods, detectors, baselines, models, soundbanks and metrics.

They load through the same entry points as anyone's.
"""
