//! The catalogue is complete, and every file of it is of the form that its model needs.

use std::collections::BTreeSet;
use std::path::Path;

use ppl::infer::compiled::CompiledModel;

fn stems(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    let json = files.filter(|f| f.extension().is_some_and(|e| e == "json"));
    json.map(|f| f.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_reference_has_its_entry() {
    let names: BTreeSet<String> = ppl_gallery::all().iter().map(|e| e.name.to_owned()).collect();
    assert_eq!(names.len(), ppl_gallery::all().len(), "names are unique");
    let files: BTreeSet<String> =
        stems("reference/posteriordb").union(&stems("reference/inference_gym")).cloned().collect();
    assert_eq!(names, files);
    let densities = ppl_gallery::all().iter().filter(|e| e.log_density.is_some());
    assert_eq!(densities.map(|e| e.name.to_owned()).collect::<BTreeSet<_>>(), stems("log_density"));
}

#[test]
fn every_model_compiles_and_has_the_parameters_of_its_reference() {
    for entry in ppl_gallery::all() {
        let model = entry.model().unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        let compiled = CompiledModel::new(&model).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        let labels: BTreeSet<String> = compiled
            .columns()
            .iter()
            .flat_map(|c| (0..c.shape.size()).map(|i| label(&c.name, &c.shape.index(i))))
            .collect();
        for parameter in entry.reference().unwrap().parameters.keys() {
            assert!(labels.contains(&entry.label(parameter)), "{}: {parameter}", entry.name);
        }
    }
}

fn label(site: &str, index: &[usize]) -> String {
    let places: Vec<String> = index.iter().map(usize::to_string).collect();
    if places.is_empty() { site.to_owned() } else { format!("{site}[{}]", places.join(",")) }
}
