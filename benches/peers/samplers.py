"""NUTS of NumPyro, Stan and nutpie beside ours on posteriors of posteriordb; prints a table, and with --write puts it into
benches/README.md.

Needs Python 3.11 with pip and, for Stan, a C++ compiler: on the first run it makes a virtual environment for each peer
under target and installs NumPyro, PyStan, or nutpie with PyMC into it. The same data and the same model for all; draws of
all are judged by `ppl-diagnostics` (the smallest rank-normalised split bulk ESS of the reference's parameters). Figures
are kept in peers/samplers.json, so that --ours renews ours alone and --peers those of some peers.
Usage: samplers.py [--only PART] [--seeds N] [--ours | --peers NAME...] [--write]
"""
import argparse, json, math, os, pathlib, platform, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "benches" / "peers"
KEPT = PEERS / "samplers.json"
README = ROOT / "benches" / "README.md"
BEGIN, END = "<!-- peers' samplers -->", "<!-- end of peers' samplers -->"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# Its script, its environment and the packages in it.
SCRIPTS = {
    "NumPyro": ("numpyro_gallery.py", "peers", ["numpyro"]),
    "Stan": ("stan_gallery.py", "peers-stan", ["pystan"]),
    "nutpie": ("nutpie_gallery.py", "peers-nutpie", ["nutpie", "pymc", "numba"]),
}
CHAINS, DRAWS, ENOUGH = 4, 1000, 400

options = argparse.ArgumentParser()
options.add_argument("--only", default="", help="posteriors whose name contains this")
options.add_argument("--seeds", type=int, default=2)
which = options.add_mutually_exclusive_group()
which.add_argument("--ours", action="store_true", help="renew our figures alone")
which.add_argument("--peers", nargs="+", choices=SCRIPTS, help="renew these peers' figures alone")
options.add_argument("--write", action="store_true")
options = options.parse_args()


def run(*command):
    done = subprocess.run([str(c) for c in command], cwd=ROOT, stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}")
    return done.stdout


def nuts(*arguments):
    return json.loads(run(TARGET / "release/nuts", *arguments))


def peer(name, posterior, acceptance):
    script, environment, packages = SCRIPTS[name]
    environment = ROOT / "target" / environment
    if not environment.exists():
        run(sys.executable, "-m", "venv", environment)
        run(environment / "bin/pip", "install", "--quiet", *packages)
    out = ROOT / "target" / "samplers" / name
    run(environment / "bin/python", PEERS / script, "--seeds", *range(1, options.seeds + 1), "--out", out,
        "--chains", CHAINS, "--draws", DRAWS, "--acceptance", json.dumps({posterior: acceptance}), posterior)
    return nuts("--judge", *(out / f"{posterior}.{seed}.json" for seed in range(1, options.seeds + 1)))


def mean(values):
    """The geometric one."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values))


FIGURES = {
    "ESS per second": lambda f: f["ess"] / f["seconds"],
    "ms to ESS 400": lambda f: 1e3 * (f["warmup_seconds"] + f["seconds"] * ENOUGH / f["ess"]),
    "with compiling, ms": lambda f: 1e3 * (
        f["compile_seconds"] + f["warmup_seconds"] + f["seconds"] * ENOUGH / f["ess"]),
}


def digits(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def flags(runs):
    """What speaks against a peer's draws."""
    found = []
    if max(r["r_hat"] for r in runs) > 1.01:
        found.append(f"R-hat {max(r['r_hat'] for r in runs):.2f}")
    # None where an error is not finite, as that of a chain that never moves.
    errors = [abs(r["errors"]) for r in runs if r["errors"] is not None]
    if len(errors) < len(runs):
        found.append("errors unknown")
    if max(errors, default=0.0) > 4.5:
        found.append(f"off by {max(errors):.0f} errors")
    if sum(r["divergences"] for r in runs):
        found.append(f"{sum(r['divergences'] for r in runs)} divergences")
    return found


def table(ours, theirs):
    lines = ["| posterior | " + " | ".join(FIGURES) + " |", "|---|" + "---|" * len(FIGURES)]
    ratios = {(name, figure): [] for name in SCRIPTS for figure in FIGURES}
    remarks = []
    for posterior in sorted(ours):
        cells = []
        runs = {"ppl": ours[posterior]} | {name: theirs[name][posterior] for name in SCRIPTS if posterior in theirs[name]}
        for figure, of in FIGURES.items():
            values = {name: mean(map(of, r)) for name, r in runs.items()}
            cells.append(" / ".join(digits(values[name]) if name in values else "-" for name in ("ppl", *SCRIPTS)))
            for name in values.keys() - {"ppl"}:
                ratio = values["ppl"] / values[name]
                ratios[name, figure].append(ratio if figure == "ESS per second" else 1 / ratio)
        lines.append(f"| {posterior} | {' | '.join(cells)} |")
        found = {name: flags(r) for name, r in runs.items()}
        remarks += [f"{posterior}: " + "; ".join(f"{n} {', '.join(f)}" for n, f in found.items() if f)] * any(found.values())
    for name in SCRIPTS:
        cells = [f"{mean(r):.1f} ({min(r):.1f} to {max(r):.1f})" if r else "-" for r in (ratios[name, f] for f in FIGURES)]
        lines.append(f"| **ppl against {name}: times better, geometric mean (worst to best)** | {' | '.join(cells)} |")
    return lines + [""] + ["What there is to say of the draws (R-hat above 1.01, differences from the reference above 4.5 "
                           "combined standard errors, divergences):", ""] + [f"- {r}" for r in remarks]


run("cargo", "build", "--release", "--locked", "-p", "ppl-benches", "--features", "gallery", "--bin", "nuts")
acceptances = nuts("--list")
programs = {path.stem for path in (PEERS / "stan").glob("*.stan")}
posteriors = [p for p in acceptances if p.split("-")[-1] in programs and options.only in p]
old = json.loads(KEPT.read_text()) if KEPT.exists() else {}
kept = {name: old.get(name, {}) for name in (*SCRIPTS, "ppl")}
renewed = ["ppl"] if options.ours else options.peers or ["ppl", *SCRIPTS]
# In turn, so that a change of the machine's speed meets all.
for posterior in posteriors:
    for name in renewed:
        if name == "ppl":
            kept[name][posterior] = nuts("--seeds", options.seeds, "--chains", CHAINS, "--draws", DRAWS, posterior)
        else:
            kept[name][posterior] = peer(name, posterior, acceptances[posterior])
    if options.write:
        # After each posterior, so that a run that is stopped leaves what it has.
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    print(posterior, file=sys.stderr)
theirs = {name: kept[name] for name in SCRIPTS}
versions = ", ".join(sorted({r["peer"] for name in SCRIPTS for runs in theirs[name].values() for r in runs}))
cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
count = lambda runs: "/".join(str(n) for n in sorted({len(r) for r in runs.values()}))
seeds = ", ".join(f"{name} {count(runs)}" for name, runs in kept.items() if runs)
head = (f"{cpu}, {os.cpu_count()} cores; {versions}; {CHAINS} chains of {DRAWS} draws, geometric means over seeds ({seeds}); "
        f"each cell: ppl / {' / '.join(SCRIPTS)}.")
text = "\n".join([head, "", *table(kept["ppl"], theirs)])
print(text)
if options.write:
    before, rest = README.read_text().split(BEGIN)
    README.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
