"""DESED (domestic environment sound event detection): its soundbank and public evaluation set.

Both are fetched from Zenodo and ship no file here. DESED is the data of DCASE task 4 since
2019, and the soundbank is what the study mixed.

References
----------
.. [1] Turpault, Serizel, Shah & Salamon, "Sound event detection in domestic environments with
   weakly labeled data and soundscape synthesis", DCASE 2019.
.. [2] Serizel, Turpault, Shah & Salamon, "Sound event detection in synthetic domestic
   environments", ICASSP 2020.
"""
