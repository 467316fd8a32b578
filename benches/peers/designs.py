"""Linear regressions of the gallery as the peers' models take them: design matrix and response by program."""
import numpy as np

MEASURES = ("diam1", "diam2", "canopy_height", "total_height", "density")


def columns(*x):
    """A design matrix with an intercept."""
    return np.column_stack([np.ones(len(x[0])), *x])


def levels(x, values):
    """An indicator for each value."""
    return [x == value for value in values]


def nes(d):
    ages = levels(d["age_discrete"], (2, 3, 4))
    return columns(d["real_ideo"], d["race_adj"], *ages, d["educ1"], d["gender"], d["income"]), d["partyid7"]


def log_volume(d):
    return columns(np.log(d["diam1"] * d["diam2"] * d["canopy_height"])), np.log(d["weight"])


# Those whose beta and sigma have flat priors.
FLAT = {
    "earn_height": lambda d: (columns(d["height"]), d["earn"]),
    "kidscore_mom_work": lambda d: (columns(*levels(d["mom_work"], (2, 3, 4))), d["kid_score"]),
    "logearn_height": lambda d: (columns(d["height"]), np.log(d["earn"])),
    "logearn_interaction": lambda d: (columns(d["height"], d["male"], d["height"] * d["male"]), np.log(d["earn"])),
    "logmesquite": lambda d: (columns(*(np.log(d[m]) for m in MEASURES), d["group"]), np.log(d["weight"])),
    "logmesquite_logvolume": log_volume,
    "mesquite": lambda d: (columns(*(d[m] for m in MEASURES), d["group"]), d["weight"]),
    "nes": nes,
}
# Those whose sigma is half-Cauchy(2.5).
HALF_CAUCHY = {
    "kidscore_interaction": lambda d: (columns(d["mom_hs"], d["mom_iq"], d["mom_hs"] * d["mom_iq"]), d["kid_score"]),
    "kidscore_momhs": lambda d: (columns(d["mom_hs"]), d["kid_score"]),
    "kidscore_momhsiq": lambda d: (columns(d["mom_hs"], d["mom_iq"]), d["kid_score"]),
}
