//! The table of `docs/distributions.md` is that of the catalogue. `PPL_RENEW=1 cargo test -p ppl-core --test dist_docs`
//! writes it anew.

mod dist_common;

use std::fmt::Write;

use dist_common::build;
use ppl_autodiff::{Var, trace};
use ppl_core::dist::{CATALOGUE, Entry};
use ppl_core::transform;

const BEGIN: &str = "<!-- distributions -->\n";
const END: &str = "<!-- end of distributions -->\n";
const BEGIN_TRANSFORMS: &str = "<!-- transforms -->\n";
const END_TRANSFORMS: &str = "<!-- end of transforms -->\n";

/// The paragraph under a heading of the documentation of a file's distribution.
fn paragraph(source: &str, heading: &str) -> String {
    let lines = source.lines().skip_while(|l| l.trim() != format!("/// # {heading}")).skip(1);
    let text = lines.take_while(|l| l.starts_with("/// ")).map(|l| l.trim_start_matches("/// ").trim());
    text.collect::<Vec<_>>().join(" ")
}

/// The name of the file that a distribution has: words in lower case.
fn file(entry: &Entry) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dist");
    let mut files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    let same = |p: &std::path::PathBuf| {
        let stem = p.file_stem().unwrap().to_string_lossy().replace('_', "");
        stem == entry.name.to_lowercase()
    };
    std::fs::read_to_string(files.find(same).unwrap()).unwrap()
}

/// What a distribution offers beside density and draws.
fn offers(entry: &Entry) -> String {
    let form = &entry.forms[0];
    let known = trace(|| {
        let d = build(form, form.good[0]);
        let x = Var::from(1.0);
        let scalar = d.event_shape().rank() == 0;
        [
            ("mean", d.mean().is_some()),
            ("variance", d.variance().is_some()),
            ("cdf", scalar && d.cdf(x).is_some()),
            ("icdf", scalar && d.icdf(Var::from(0.5)).is_some()),
            ("entropy", d.entropy().is_some()),
        ]
    });
    let known = known.unwrap().0;
    known.iter().filter(|k| k.1).map(|k| k.0).collect::<Vec<_>>().join(", ")
}

fn distributions() -> String {
    let mut out =
        String::from("| distribution | constructors | support | offers | elsewhere |\n|---|---|---|---|---|\n");
    for entry in CATALOGUE {
        let source = file(entry);
        let elsewhere = paragraph(&source, "Source");
        assert!(["NumPyro", "PyMC", "Stan"].iter().all(|name| elsewhere.contains(name)), "{}: {elsewhere}", entry.name);
        assert!(!paragraph(&source, "Shapes").is_empty() && !paragraph(&source, "Errors").is_empty(), "{}", entry.name);
        assert!(source.contains("/// ```\n"), "{} has no example", entry.name);
        let constructors: Vec<&str> = entry.forms.iter().map(|f| f.constructor).collect();
        let form = &entry.forms[0];
        let support = trace(|| build(form, form.good[0]).support().name()).unwrap().0;
        let constructors = constructors.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        let (name, offers) = (entry.name, offers(entry));
        let elsewhere = elsewhere.replace('|', "\\|");
        writeln!(out, "| `{name}` | {constructors} | {support} | {offers} | {elsewhere} |").unwrap();
    }
    out
}

fn transforms() -> String {
    let mut out = String::from("| transform | onto |\n|---|---|\n");
    for entry in transform::CATALOGUE {
        let onto = trace(|| (entry.image)().name()).unwrap().0;
        writeln!(out, "| `{}` | {onto} |", entry.name).unwrap();
    }
    out
}

/// A page with what stands between two marks replaced.
fn replaced(page: &str, begin: &str, end: &str, text: &str) -> String {
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}{begin}{text}{end}{after}")
}

#[test]
fn the_tables_of_the_documentation_are_those_of_the_catalogues() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/distributions.md");
    let page = std::fs::read_to_string(path).unwrap();
    let want = replaced(&page, BEGIN, END, &distributions());
    let want = replaced(&want, BEGIN_TRANSFORMS, END_TRANSFORMS, &transforms());
    if std::env::var_os("PPL_RENEW").is_some() {
        std::fs::write(path, &want).unwrap();
    }
    let now = std::fs::read_to_string(path).unwrap();
    assert!(now == want, "docs/distributions.md differs from the catalogue: renew it with PPL_RENEW=1");
    let count = format!("{} distributions", CATALOGUE.len());
    assert!(now.contains(&count), "the page must say that there are {count}");
}
