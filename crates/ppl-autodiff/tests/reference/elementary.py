"""Writes elementary.json: values of the elementary functions to a thousandth of a unit in the last place.

Needs mpmath; run `python elementary.py` in this folder. Each point is "x y k" (for pow "x exponent y k"): x and y are the
bits, in hex, of numbers of the format (f64 or f32), y being the nearest to the true value, which is y + k/1000 ulp(y).
"""
import json
import math
import random
import struct

import mpmath as mp

random.seed(20240229)
mp.mp.dps = 60

FORMATS = {
    # name: (float code, integer code, precision, smallest exponent, hex digits)
    "f64": ("d", "Q", 53, -1074, 16),
    "f32": ("f", "I", 24, -149, 8),
}


def nearest(y, form):
    """The nearest number of the format (infinite on overflow) and the rest in ulps."""
    code, _, precision, smallest, _ = FORMATS[form]
    if mp.isinf(y):
        return float(y), 0
    if y == 0:
        return 0.0, 0
    exponent = max(int(mp.floor(mp.log(abs(y), 2))) - precision + 1, smallest)
    unit = mp.ldexp(1, exponent)
    rounded = mp.nint(y / unit) * unit
    largest = mp.mpf(1.7976931348623157e308) if form == "f64" else mp.mpf(3.4028234663852886e38)
    if abs(rounded) > largest:
        return math.copysign(math.inf, rounded), 0
    # The ulp of the rounded value, which is larger if rounding reached the next binade.
    if rounded != 0:
        exponent = max(math.frexp(float(rounded))[1] - precision, smallest)
        unit = mp.ldexp(1, exponent)
    return float(rounded), int(mp.nint((y - rounded) / unit * 1000))


def bits(x, form):
    code, integer, _, _, digits = FORMATS[form]
    return format(struct.unpack("<" + integer, struct.pack("<" + code, x))[0], "0%dx" % digits)


def as_format(x, form):
    code = FORMATS[form][0]
    return struct.unpack("<" + code, struct.pack("<" + code, x))[0]


def uniform(low, high):
    return lambda: random.uniform(low, high)


def spread(low, high, signed=False):
    """Uniform logarithm."""

    def draw():
        x = math.exp(random.uniform(math.log(low), math.log(high)))
        return -x if signed and random.random() < 0.5 else x

    return draw


def periodic(f):
    def value(x):
        with mp.workdps(60 + (int(mp.log10(abs(x))) if abs(x) > 1 else 0)):
            return +f(x)

    return value


def lgamma(x):
    return mp.log(abs(mp.gamma(x))) if x < 0 else mp.loggamma(x)


def erfcx(x):
    if x > 1e10:
        return (1 - 1 / (2 * x * x)) / (x * mp.sqrt(mp.pi))
    with mp.workdps(80):
        return mp.exp(x * x) * mp.erfc(x)


def log_ndtr(x):
    if x < 0:
        return mp.log(erfcx(-x / mp.sqrt(2)) / 2) - x * x / 2
    return mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2)


def ndtri(p):
    """Newton's method on the logarithm of the smaller tail."""
    tail = min(p, 1 - p)
    if tail == mp.mpf(1) / 2:
        return mp.mpf(0)
    x = -mp.sqrt(2 * mp.log(1 / (2 * tail)))
    for _ in range(200):
        step = (log_ndtr(x) - mp.log(tail)) * mp.sqrt(mp.pi / 2) * erfcx(-x / mp.sqrt(2))
        x -= step
        if abs(step) < mp.mpf(10) ** -45 * abs(x):
            break
    return -x if p > tail else x


# name: (function, draws for f64, draws for f32, hard points found by sweeps of a million points)
FUNCTIONS = {
    "exp": (
        mp.exp,
        [uniform(-745.2, 709.8), uniform(-1, 1), uniform(-745.2, -708)],
        [uniform(-104, 88.8), uniform(-1, 1), uniform(-104, -87)],
        [0.3651640096638924, 151.47361489684613, -709.81884817795731, 709.782712893384, 0.393529892, -745.1332191019411],
    ),
    "expm1": (
        mp.expm1,
        [uniform(-40, 709.8), uniform(-2, 2), spread(1e-320, 1, True), uniform(0.3, 0.4)],
        [uniform(-20, 88.8), uniform(-2, 2), spread(1e-44, 1, True), uniform(0.3, 0.4)],
        [0.34681386173990625, -0.34666684933891295, 37.836438770557436, 0.346624583],
    ),
    "ln": (
        mp.log,
        [spread(1e-323, 1.7e308), uniform(0.5, 2), uniform(0.99, 1.01)],
        [spread(1.5e-45, 3.3e38), uniform(0.5, 2), uniform(0.99, 1.01)],
        [1.4011373514208698, 0.6374483213665717, 1.39713097, 5e-324],
    ),
    "ln_1p": (
        mp.log1p,
        [uniform(-0.99999, 3), spread(1e-320, 1.7e308), spread(1e-18, 0.9999, True), uniform(0.3, 0.5)],
        [uniform(-0.9999, 3), spread(1e-44, 3.3e38), spread(1e-9, 0.999, True), uniform(0.3, 0.5)],
        [0.40055160719225541, -0.29893223082800746, -0.294749767, 1.3819534855204019e308],
    ),
    "tanh": (
        mp.tanh,
        [uniform(-22, 22), uniform(-1, 1), spread(1e-320, 1, True), uniform(0.15, 0.3)],
        [uniform(-11, 11), uniform(-1, 1), spread(1e-44, 1, True), uniform(0.15, 0.3)],
        [0.20552131375323165, 0.2077975120383555, -0.20930258526469864, -0.24467982374625663, 0.226564795, 0.251011312],
    ),
    "sigmoid": (
        lambda x: 1 / (1 + mp.exp(-x)),
        [uniform(-745, 40), uniform(-3, 3), uniform(-40, 3)],
        [uniform(-103, 20), uniform(-3, 3), uniform(-20, 3)],
        [-1.1014571580556007, -36.73941771812202, -707.08610248327273, -1.12069046, -740.5],
    ),
    "softplus": (
        lambda x: mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x)),
        [uniform(-745, 800), uniform(-3, 3), uniform(-2, 0)],
        [uniform(-103, 100), uniform(-3, 3), uniform(-2, 0)],
        [-0.79436763251704035, -1.2797492785316535, -0.69450748, -740.5],
    ),
    "sin": (
        periodic(mp.sin),
        [uniform(-3.2, 3.2), uniform(-1e5, 1e5), uniform(-1e9, 1e9), spread(1e-320, 1e300, True)],
        [uniform(-3.2, 3.2), uniform(-3e4, 3e4), spread(1e-44, 1e30, True)],
        # The last two: nearest to multiples of pi/2.
        [-0.75142287601323222, -36230433.744965315, 18236.9453125, -2.35890746, math.pi, 355.0, 6381956970095103.0],
    ),
    "cos": (
        periodic(mp.cos),
        [uniform(-3.2, 3.2), uniform(-1e5, 1e5), uniform(-1e9, 1e9), spread(1e-20, 1e300, True)],
        [uniform(-3.2, 3.2), uniform(-3e4, 3e4), spread(1e-20, 1e30, True)],
        [-0.80148345074952232, -19454.3125, -0.834362984, math.pi / 2, 11.0, 6381956970095103.0],
    ),
    "erf": (
        mp.erf,
        [uniform(-7, 7), uniform(0.9, 1.5), spread(1e-320, 1, True)],
        [uniform(-5, 5), uniform(0.9, 1.5), spread(1e-44, 1, True)],
        [0.96879778125555693, 0.99974276012104546, 0.971630931],
    ),
    "erfc": (
        mp.erfc,
        [uniform(-6, 6), uniform(0.4, 27.3), uniform(0.45, 1.5)],
        [uniform(-4, 4), uniform(0.4, 10.1), uniform(0.45, 1.5)],
        [15.718772650889962, 3.5631937441012145, 26.53050902398558, 1.54641128, 4.26440763, 25.882666970310026, 7.281545162200928],
    ),
    "lgamma": (
        lgamma,
        [spread(1e-310, 1e305), uniform(0.01, 3), uniform(1.3, 1.6), uniform(2.4, 9), uniform(0.99, 1.01), uniform(1.99, 2.01)],
        [spread(1e-44, 1e36), uniform(0.01, 3), uniform(1.3, 1.6), uniform(2.4, 9), uniform(0.99, 1.01), uniform(1.99, 2.01)],
        [1.4942762327378352, 1.4991695508370155, 3.9999999999999996, 4.0, 2.5000000000000004],
    ),
    "digamma": (
        mp.digamma,
        [spread(1e-300, 1e305), uniform(0.01, 3), uniform(1.4, 1.5), uniform(1.9, 9), uniform(0.9, 1.1)],
        [spread(1e-37, 1e36), uniform(0.01, 3), uniform(1.4, 1.5), uniform(1.9, 9), uniform(0.9, 1.1)],
        [1.4616321449683622, 1.4616321449683625, 1.461632, 3.9999999999999996, 4.0, 2.0230586037716756, 3.006689089969152],
    ),
    "trigamma": (
        lambda x: mp.polygamma(1, x),
        [spread(1e-150, 1e300), uniform(0.01, 3), uniform(2, 9)],
        [spread(1e-18, 1e36), uniform(0.01, 3), uniform(2, 9)],
        [3.9999999999999996, 2.8003355423154264, 1.428204874669164, 1e-153],
    ),
    "erfcx": (
        erfcx,
        [uniform(-26.5, 6), uniform(-1, 30), spread(1e-320, 1e300)],
        [uniform(-9, 6), uniform(-1, 11), spread(1e-44, 1e30)],
        [28.0, 99999999.0, 100000001.0, 9999.5, 10001.0],
    ),
    "log_ndtr": (
        log_ndtr,
        [uniform(-6, 6), uniform(-40, 2), uniform(2, 38), spread(1e-320, 1e150, True)],
        [uniform(-6, 6), uniform(-14, 2), uniform(2, 13), spread(1e-44, 1e18, True)],
        [-1.0, 38.4],
    ),
    "ndtri": (
        ndtri,
        [uniform(0.001, 0.999), spread(1e-320, 0.5), lambda: 1 - spread(1e-15, 0.5)()],
        [uniform(0.001, 0.999), spread(1e-44, 0.5)],
        [0.02425, 0.97575, 0.5000001],
    ),
    "i0e": (
        lambda x: mp.exp(-abs(x)) * mp.besseli(0, x),
        [uniform(-12, 12), uniform(7.5, 9), spread(1e-320, 1e9, True)],
        [uniform(-12, 12), uniform(7.5, 9), spread(1e-44, 1e9, True)],
        [8.0, -8.0],
    ),
    "i1e": (
        lambda x: mp.exp(-abs(x)) * mp.besseli(1, x),
        [uniform(-12, 12), uniform(7.5, 9), spread(1e-300, 1e9, True)],
        [uniform(-12, 12), uniform(7.5, 9), spread(1e-37, 1e9, True)],
        [8.0, -8.0],
    ),
}


# With random numbers of their own, so that the points above stay.
LATER = {
    "atan": (
        mp.atan,
        [uniform(-3, 3), spread(1e-320, 1e300, True), uniform(0.4, 0.43), uniform(2.3, 2.5)],
        [uniform(-3, 3), spread(1e-44, 1e36, True), uniform(0.4, 0.43), uniform(2.3, 2.5)],
        [0.41421356237309503, 2.414213562373095, 0.4142, 0.41420001, 2.414, 2.4140001, 1.0],
    ),
}


def points(name, form):
    function, draws64, draws32, hard = (FUNCTIONS | LATER)[name]
    draws = draws64 if form == "f64" else draws32
    each = (240 if form == "f64" else 120) // len(draws)
    xs = [draw() for draw in draws for _ in range(each)] + hard
    rows = []
    for x in xs:
        if form == "f32" and not 1e-45 < abs(x) < 3.4e38:
            continue
        x = as_format(x, form)
        y = function(mp.mpf(x))
        value, rest = nearest(y, form)
        rows.append("%s %s %d" % (bits(x, form), bits(value, form), rest))
    return rows


def pow_points(form):
    top = 709.0 if form == "f64" else 88.0
    low = -744.0 if form == "f64" else -102.0
    draws = [spread(1e-320, 1e308), uniform(0.5, 2), spread(1e-5, 1e5)]
    rows = []
    for draw in draws:
        for _ in range(80 if form == "f64" else 40):
            x = draw()
            if form == "f32":
                x = as_format(min(max(x, 1e-44), 3e38), form)
            exponent = as_format(random.uniform(low, top) / float(mp.log(x)), form)
            value, rest = nearest(mp.power(mp.mpf(x), mp.mpf(exponent)), form)
            rows.append("%s %s %s %d" % (bits(x, form), bits(exponent, form), bits(value, form), rest))
    return rows


result = {form: {name: points(name, form) for name in FUNCTIONS} for form in FORMATS}
for form in FORMATS:
    result[form]["pow"] = pow_points(form)
random.seed(20261121)
for form in FORMATS:
    for name in LATER:
        result[form][name] = points(name, form)
with open("elementary.json", "w") as out:
    json.dump(result, out, indent=0)
    out.write("\n")
