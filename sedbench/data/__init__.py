"""Data: soundbanks, frozen soundscape specifications, rendering, caching and fetching.

    soundbank.py    what a soundbank is          folder.py       a folder of recordings as one
    walk.py         one without a manifest       dealing.py      groups to splits
    annotations/    who says what sounds when: DESED's tables, RTTM, Audacity, JAMS
    recordings.py   annotated recordings as a soundbank; recording_manifest.py lists them
    windows.py      windows of them as clips
    soundscape.py   what a soundscape is         index.py        frozen specifications as CSV
    recipe.py       how soundscapes are drawn    scaper_spec.py  by which rules
    scaper_call.py  one call of Scaper           audition.py     whether a draw can be used
    casting.py      who plays an event           patterns.py     events as in real annotations
    conditions.py   one thing changed            rooms.py        what a room does to a sound
    render.py       specification -> audio and truth
    cache.py        rendered clips, kept         entries.py      one kept clip on disk
    fetch.py        recordings, brought and verified
    download.py     one file, from anywhere      remote.py       what is known of it
    transfer.py     over HTTP, with resuming     unpack.py       out of an archive, safely
    archive.py      a soundbank that comes as one archive
    generate.py     draw a task and freeze it    drawn.py        or a copy of it, where it is used
    paths.py, strict.py  where things lie; strict TOML

Nothing here knows a soundbank or a task by name.
"""
