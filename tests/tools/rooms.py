"""Simulate the room impulse responses of ``domestic-real-reverb``.

    pip install -c constraints.txt ".[rooms]"
    python tests/tools/rooms.py

Three rooms with a microphone and two places of a source each, by the image source method
(Allen and Berkley, JASA 1979) with randomised images against sweeping echoes (De Sena et
al., TASLP 2015) as pyroomacoustics implements it. The geometry is the same at every RT60,
only the walls change, so that a condition differs from another in nothing else. Walls absorb
all frequencies alike; the absorption is adjusted until the T30 that is *measured* on the
responses (ISO 3382-2, backward integration after Schroeder, JASA 1965) averages the RT60
that was asked for.

A response begins with the direct sound: the distance is a whole number of samples, so that
the direct sound is one sample and not a pulse around one, and its image is put back where
the randomisation moved it from. What is laid before it (half the interpolation filter of the
first reflections) is cut off. All reflections are positive, which adds up below the room's
modes: a causal high-pass of 20 Hz takes that out, where pyroomacoustics' own is run backwards
too and would sound before the direct sound. The response ends where its remaining energy is
60 dB down, has unit energy and is kept in float16.

Written: ``rooms.npz`` (see :mod:`sedbench.data.rooms`) and ``rooms.json`` with the geometry
and what was measured on the frozen responses.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

OUT = Path(__file__).parents[2] / "tasks/sedbench_tasks/domestic_real_reverb"
SEED = 20260523
SAMPLE_RATE = 16000
RT60S = (0.3, 0.6, 1.0)
POSITIONS = 2
# A kitchen, a living room, a kitchen open to the living room: metres, ceiling last.
ROOMS = {
    "kitchen": (3.9, 3.2, 2.5),
    "living room": (5.3, 4.2, 2.6),
    "open kitchen": (7.4, 5.1, 2.7),
}
DISTANCES = (1.0, 2.5)
WALL = 0.5  # nothing stands nearer to a wall, metres
HEIGHTS = {"microphone": (1.2, 1.6), "source": (0.7, 1.7)}
CUT_DB = -60.0
HIGH_PASS = 20.0  # Hz
TOLERANCE = 0.02  # of the mean T30 of a room's positions
Response = NDArray[np.float64]


def decay(response: Response) -> Response:
    """Schroeder's curve: the energy that is still to come, in dB of all."""
    left = np.cumsum(response[::-1] ** 2)[::-1]
    return 10 * np.log10(np.maximum(left / left[0], 1e-30))


def reverberation_time(response: Response, top: float, bottom: float) -> float:
    """Seconds for 60 dB at the slope of Schroeder's curve between two levels in dB."""
    curve = decay(response)
    inside = np.flatnonzero((curve <= top) & (curve >= bottom))
    slope = np.polyfit(inside / SAMPLE_RATE, curve[inside], 1)[0]
    return float(-60 / slope)


def places(dims: tuple[float, ...], rng: np.random.Generator, c: float) -> dict[str, Any]:
    """Draw a microphone and sources at distances of whole samples, away from the walls."""

    def anywhere(kind: str) -> NDArray[np.float64]:
        low, high = HEIGHTS[kind]
        return np.array([*(rng.uniform(WALL, d - WALL) for d in dims[:2]), rng.uniform(low, high)])

    while True:
        microphone, sources, delays = anywhere("microphone"), [], []
        for _ in range(200):
            away = anywhere("source") - microphone
            delay = round(float(np.linalg.norm(away)) / c * SAMPLE_RATE)
            distance = delay * c / SAMPLE_RATE
            source = microphone + away / np.linalg.norm(away) * distance
            apart = all(np.linalg.norm(source - s) > 1.0 for s in sources)
            if apart and DISTANCES[0] <= distance <= DISTANCES[1]:
                sources.append(source)
                delays.append(delay)
            if len(sources) == POSITIONS:
                return {"microphone": microphone, "sources": sources, "delays": delays}


def simulate(
    dims: tuple[float, ...], place: dict[str, Any], absorption: float, rt60: float
) -> list[Response]:
    """The responses of one room's positions, from the direct sound on."""
    import pyroomacoustics as pra

    pra.random.seed(SEED)
    # An image of order n is at least about n times the ceiling's height away: all of them
    # that arrive within the decay are there.
    order = math.ceil(1.1 * rt60 * pra.constants.get("c") / min(dims))
    room = pra.ShoeBox(
        dims,
        fs=SAMPLE_RATE,
        materials=pra.Material(absorption),
        max_order=order,
        use_rand_ism=True,
        max_rand_disp=0.05,
    )
    for source in place["sources"]:
        room.add_source(source)
    room.add_microphone(place["microphone"])
    room.image_source_model()
    for source in room.sources:
        source.images[:, source.orders == 0] = source.position[:, None]
    pra.constants.set("rir_hpf_enable", False)
    room.compute_rir()
    half = pra.constants.get("frac_delay_length") // 2
    high_pass = butter(2, HIGH_PASS, "highpass", fs=SAMPLE_RATE, output="sos")
    found = []
    for response, delay in zip(room.rir[0], place["delays"], strict=True):
        start = delay + half
        before = np.sum(response[:start] ** 2) / np.sum(response**2)
        assert before < 2e-3, f"{before:.1e} of the energy comes before the direct sound"
        heard = response[start : start + round(1.3 * rt60 * SAMPLE_RATE)]
        found.append(np.asarray(sosfilt(high_pass, heard), np.float64))
    return found


def adjusted(
    dims: tuple[float, ...], place: dict[str, Any], rt60: float
) -> tuple[float, list[Response]]:
    """The wall absorption that gives the RT60, and the responses."""
    import pyroomacoustics as pra

    absorption = float(pra.inverse_sabine(rt60, dims)[0])
    for _ in range(12):
        responses = simulate(dims, place, absorption, rt60)
        ratio = float(np.mean([reverberation_time(r, -5, -35) for r in responses])) / rt60
        if abs(ratio - 1) < TOLERANCE:
            return absorption, responses
        # By Eyring's rule the time is as 1 / -log(1 - absorption).
        absorption = 1 - (1 - absorption) ** ratio
    raise RuntimeError(f"no absorption gives {dims} an RT60 of {rt60} s")


def frozen(response: Response) -> NDArray[np.float16]:
    """Cut, unit energy, float16."""
    end = int(np.argmax(decay(response) < CUT_DB))
    assert end > 0, "the simulation ends before the decay does"
    cut = response[:end]
    return np.asarray(cut / np.sqrt(np.sum(cut**2)), np.float16)


def facts(kept: NDArray[np.float16], place: dict[str, Any], i: int, c: float) -> dict[str, Any]:
    """What is measured on a frozen response."""
    h = kept.astype(np.float64)
    early = round(0.05 * SAMPLE_RATE)
    return {
        "source": np.round(place["sources"][i], 3).tolist(),
        "distance": round(place["delays"][i] * c / SAMPLE_RATE, 3),
        "t20": round(reverberation_time(h, -5, -25), 3),
        "t30": round(reverberation_time(h, -5, -35), 3),
        "direct_to_reverberant_db": round(float(10 * np.log10(h[0] ** 2 / np.sum(h[1:] ** 2))), 2),
        "c50_db": round(float(10 * np.log10(np.sum(h[:early] ** 2) / np.sum(h[early:] ** 2))), 2),
        "energy": round(float(np.sum(h**2)), 4),
        "samples": int(h.size),
    }


def main() -> None:
    """Simulate, freeze, and print what was measured."""
    import pyroomacoustics as pra

    c = pra.constants.get("c")
    rng = np.random.default_rng(SEED)
    where = {name: places(dims, rng, c) for name, dims in ROOMS.items()}
    arrays: dict[str, NDArray[Any]] = {"sample_rate": np.array(SAMPLE_RATE, np.int64)}
    measured: dict[str, Any] = {}
    for rt60 in RT60S:
        kept: list[list[NDArray[np.float16]]] = []
        rows: dict[str, Any] = {}
        for name, dims in ROOMS.items():
            absorption, responses = adjusted(dims, where[name], rt60)
            kept.append([frozen(r) for r in responses])
            rows[name] = {
                "absorption": round(absorption, 4),
                "positions": [facts(k, where[name], i, c) for i, k in enumerate(kept[-1])],
            }
            for row in rows[name]["positions"]:
                assert abs(row["t30"] / rt60 - 1) < 0.15, (name, rt60, row)
                print(f"{rt60:g} s, {name}: {row}")
        longest = max(k.size for room in kept for k in room)
        arrays[f"rt60={rt60:g}"] = np.array(
            [[np.pad(k, (0, longest - k.size)) for k in room] for room in kept]
        )
        measured[f"rt60={rt60:g}"] = rows
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    (OUT / "rooms.npz").write_bytes(out.getvalue())
    text = {
        "made_by": f"tests/tools/rooms.py, pyroomacoustics {version('pyroomacoustics')}",
        "method": "image sources, randomised by up to 5 cm; walls absorb all frequencies alike",
        "seed": SEED,
        "sample_rate": SAMPLE_RATE,
        "speed_of_sound": c,
        "units": "metres, seconds, dB; x, y and height from one corner of the floor",
        "rooms": {
            name: {"size": dims, "microphone": np.round(where[name]["microphone"], 3).tolist()}
            for name, dims in ROOMS.items()
        },
        "measured": measured,
        "sha256": hashlib.sha256(out.getvalue()).hexdigest(),
    }
    (OUT / "rooms.json").write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    print(f"{OUT / 'rooms.npz'}: {len(out.getvalue())} bytes, sha256 {text['sha256']}")


if __name__ == "__main__":
    main()
