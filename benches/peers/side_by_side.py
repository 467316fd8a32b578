"""Ours and peers' in turn, on one machine in one run; prints a table, and with --write puts it into benches/README.md.

Needs Python 3.11 with pip: on the first run it makes a virtual environment under target/peers and installs NumPyro
into it. Usage: side_by_side.py [--rounds N] [--no-nuts] [--write]
"""
import argparse, json, os, pathlib, platform, statistics, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / "target" / "peers"
PYTHON = VENV / "bin" / "python"
README = ROOT / "benches" / "README.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"

options = argparse.ArgumentParser()
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--no-nuts", action="store_true")
options.add_argument("--write", action="store_true")
options = options.parse_args()


PEAK = {}  # megabytes of the process of a command, by the name that the caller gives it


def run(*command, name=None):
    """What a command prints; waits for it by itself, to learn its peak of memory."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([str(c) for c in command], cwd=ROOT, stdout=out, stderr=err)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        if process.returncode != 0:
            sys.exit(f"{command} ended with {process.returncode}:\n{err.read()}")
        if name:
            PEAK[name] = usage.ru_maxrss / 1024
        return out.read()


def build():
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", VENV)
        run(PYTHON, "-m", "pip", "install", "--quiet", "numpyro", "blackjax")
    run("cargo", "build", "--release", "--locked", "-p", "ppl-benches", "--bin", "measure")
    run("cargo", "build", "--release", "--locked", "-p", "ppl", "--example", "hierarchical_bnn")


def rounds():
    """One round each in turn, so that a change of the machine's speed meets both."""
    ours, theirs, single = [], [], []
    for _ in range(options.rounds):
        ours.append(json.loads(run(ROOT / "target/release/measure")))
        theirs.append(json.loads(run(PYTHON, ROOT / "benches/peers/numpyro_bnn.py")))
        theirs[-1] |= json.loads(run(PYTHON, ROOT / "benches/peers/blackjax_sgld.py"))
        theirs[-1] |= json.loads(run(PYTHON, ROOT / "benches/peers/numpyro_svi.py"))
        single.append(json.loads(run(PYTHON, ROOT / "benches/peers/numpyro_bnn.py", "--f32")))
    return ours, theirs, single


def advi_rows(ours, theirs):
    names = {"advi_step/full_500": "ADVI step, flat network, 500 rows", "advi_step/minibatch_50": "ADVI step, batches of 50"}
    return [f"| {name}, `f64` | {median(ours, key):.1f} us | {median(theirs, key):.1f} us | {ratio(ours, theirs, key):.3f} |"
            for key, name in names.items()]


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def ratio(ours, theirs, key, peer_key=None):
    return statistics.median(a[key] / b[peer_key or key] for a, b in zip(ours, theirs))


def nuts():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "ours.json"
        run(ROOT / "target/release/examples/hierarchical_bnn", "--data", "data/moons/moons_hier.csv",
            "--quiet", "--no-plots", "--json", file, name="ours")
        ours = json.loads(file.read_text())
    theirs = json.loads(run(PYTHON, ROOT / "benches/peers/numpyro_bnn.py", "--nuts", name="theirs"))
    return ours, theirs["nuts/hierarchical_bnn"]


def table():
    ours, theirs, single = rounds()
    lines = ["| work | ppl | NumPyro | ratio |", "|---|---|---|---|"]
    names = {
        "gradient/flat_bnn_500": "gradient, flat network, 500 rows",
        "gradient/flat_bnn_50": "gradient, flat network, 50 rows",
        "gradient/hierarchical_bnn": "gradient, hierarchical network, 18 x 50 rows",
    }
    for key, name in names.items():
        lines.append(f"| {name}, `f64` | {median(ours, key):.1f} us | {median(theirs, key):.1f} us "
                     f"| {ratio(ours, theirs, key):.2f} |")
    for key in ("gradient/flat_bnn_500", "gradient/hierarchical_bnn"):
        own = key.replace("gradient", "gradient_f32")
        lines.append(f"| {names[key]}, `f32` | {median(ours, own):.1f} us | {median(single, key):.1f} us "
                     f"| {ratio(ours, single, own, key):.2f} |")
    for key, name in (("sgld_step/minibatch_50", "SGLD step"), ("sgfs_step/minibatch_50", "SGFS step, full Fisher information")):
        peer = "sgld_step/minibatch_50"
        lines.append(f"| {name}, 50 of 500 rows | {median(ours, key):.1f} us | {median(theirs, peer):.1f} us (BlackJAX, SGLD) "
                     f"| {ratio(ours, theirs, key, peer):.2f} |")
    lines += advi_rows(ours, theirs)
    if not options.no_nuts:
        o, t = nuts()
        h = o["hierarchical"]
        lines += [
            f"| NUTS 1000 + 500, hierarchical network, one chain | {h['seconds']:.1f} s | {t['seconds']:.1f} s, "
            f"{t['seconds_with_compiling']:.1f} s with compiling | {h['seconds'] / t['seconds']:.3f} |",
            f"| its gradients | {h['gradients']} in all | {t['gradients_while_drawing']} while drawing alone | |",
            f"| its median bulk ESS of 500 | {h['ess_bulk_median']:.0f} | {t['ess_median']:.0f} | |",
            f"| its test accuracy | {h['test_accuracy']:.4f} | {t['test_accuracy']:.4f} | |",
            f"| from the start of the program to the first transition | {1e3 * o['seconds_to_first_draw']:.1f} ms "
            f"| {t['seconds_with_compiling'] - t['seconds']:.1f} s of compiling | |",
            f"| the whole example, 18 flat networks included | {o['seconds_total']:.1f} s | | |",
            f"| peak memory of the process | {PEAK['ours']:.0f} MB | {PEAK['theirs']:.0f} MB | {PEAK['ours'] / PEAK['theirs']:.3f} |",
        ]
    lines += ["", "| ppl alone | |", "|---|---|"]
    alone = [
        ("hierarchical network: the same gradient written by hand", "handwritten/hierarchical_bnn", "us", 1),
        ("the value alone", "value/hierarchical_bnn", "us", 1),
        ("trace, differentiate and compile", "compile_ms/hierarchical_bnn", "ms", 1),
        ("workspace of its program", "workspace_bytes/hierarchical_bnn", "kB", 1e-3),
        ("flat network, 500 rows: the same gradient written by hand", "handwritten/flat_bnn_500", "us", 1),
        ("the value alone", "value/flat_bnn_500", "us", 1),
        ("logistic regression, 100000 x 50: gradient", "gradient/logistic_1e5x50", "ms", 1e-3),
        ("the two products that it consists of, by `ndarray`", "products/logistic_1e5x50", "ms", 1e-3),
        ("network of 130,000 weights, 50 rows: value and gradient", "value_and_gradient_ms/large_50", "ms", 1),
        ("the gradient alone", "gradient_ms/large_50", "ms", 1),
        ("SGFS step, diagonal Fisher information", "sgfs_diagonal_ms/large_50", "ms", 1),
        ("`tanh`, `f64`", "tanh_ns/f64", "ns", 1),
        ("`tanh`, `f32`", "tanh_ns/f32", "ns", 1),
    ]
    lines += [f"| {name} | {median(ours, key) * scale:.2f} {unit} |" for name, key, unit, scale in alone]
    ratios = [
        ("gradient by value, hierarchical", "gradient/hierarchical_bnn", "value/hierarchical_bnn"),
        ("gradient by value, flat", "gradient/flat_bnn_500", "value/flat_bnn_500"),
        ("gradient by hand-written one, hierarchical", "gradient/hierarchical_bnn", "handwritten/hierarchical_bnn"),
        ("gradient by hand-written one, flat", "gradient/flat_bnn_500", "handwritten/flat_bnn_500"),
        ("`f64` by `f32`, hierarchical", "gradient/hierarchical_bnn", "gradient_f32/hierarchical_bnn"),
        ("`f64` by `f32`, flat", "gradient/flat_bnn_500", "gradient_f32/flat_bnn_500"),
        ("diagonal SGFS step by value and gradient, 130,000 weights", "sgfs_diagonal_ms/large_50", "value_and_gradient_ms/large_50"),
        ("logistic gradient by its two products", "gradient/logistic_1e5x50", "products/logistic_1e5x50"),
    ]
    lines += ["", "| ratios of ppl's own | |", "|---|---|"]
    lines += [f"| {name} | {ratio(ours, ours, a, b):.2f} |" for name, a, b in ratios]
    growth = json.loads(run(ROOT / "target/release/measure", "growth"))
    peer = json.loads(run(PYTHON, ROOT / "benches/peers/numpyro_bnn.py", "--growth"))
    lines += ["", "| gradient as it grows | ppl, us | NumPyro, us | ratio |", "|---|---|---|---|"]
    size = lambda name: (name.split()[0], int(name.split()[-1]), int(name.split()[1]))
    lines += [f"| {name} | {growth[name]:.1f} | {peer[name]:.1f} | {growth[name] / peer[name]:.2f} |"
              for name in sorted(growth, key=size)]
    cpu = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    peer = f"NumPyro {theirs[0]['numpyro']}, JAX {theirs[0]['jax']}"
    head = f"{cpu}, {os.cpu_count()} cores; {peer}; medians of {options.rounds} rounds in turn, one thread a gradient."
    return "\n".join([head, "", *lines])


build()
text = table()
print(text)
if options.write:
    before, rest = README.read_text().split(BEGIN)
    README.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
