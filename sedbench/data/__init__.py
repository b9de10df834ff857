"""Data: soundbanks, frozen soundscape specifications, rendering, caching and fetching.

    soundbank.py    what a soundbank is          folder.py       a folder of recordings as one
    soundscape.py   what a soundscape is         index.py        frozen specifications as CSV
    recipe.py       how soundscapes are drawn    scaper_spec.py  Scaper draws them
    render.py       specification -> audio and truth
    cache.py        rendered clips, kept         entries.py      one kept clip on disk
    fetch.py        recordings, brought and verified
    generate.py     draw a task and freeze it    paths.py, strict.py  where things lie; strict TOML

Nothing here knows a soundbank or a task by name.
"""
