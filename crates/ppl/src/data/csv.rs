//! Readers of labelled points of the plane: flat files, and files in groups.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array1, Array2, Array3};

use super::{DataError, GroupedData, SplitData};

/// Read a file with the columns `x1`, `x2`, `y` and `split`, in any order and among others.
///
/// `x1` and `x2` are finite numbers, `y` is 0 or 1, `split` is `train` or `test`; rows keep their order.
///
/// # Errors
/// [`DataError::Csv`], [`DataError::MissingColumn`], [`DataError::Field`], [`DataError::EmptySplit`].
pub fn read_csv_split(path: impl AsRef<Path>) -> Result<SplitData, DataError> {
    let path = path.as_ref();
    let mut parts = Parts::default();
    read_rows(path, false, |row| parts.push(row))?;
    let [train, test] = [(TRAIN, parts.train), (TEST, parts.test)].map(|(split, part)| {
        if part.y.is_empty() { Err(DataError::EmptySplit { path: path.to_owned(), split }) } else { Ok(part) }
    });
    let (train, test) = (train?, test?);
    Ok(SplitData {
        x_train: array2(&train.x),
        y_train: Array1::from(train.y),
        x_test: array2(&test.x),
        y_test: Array1::from(test.y),
    })
}

/// Read a file with the columns `group`, `x1`, `x2`, `y` and `split`, in any order and among others.
///
/// `group` is a whole number of at least 0; the groups come out in rising order, and all of them must have as many
/// rows to fit and as many to test. The other columns are as in [`read_csv_split`].
///
/// # Errors
/// Those of [`read_csv_split`], and [`DataError::UnequalGroups`].
pub fn read_grouped_csv(path: impl AsRef<Path>) -> Result<GroupedData, DataError> {
    let path = path.as_ref();
    let mut groups: BTreeMap<u64, Parts> = BTreeMap::new();
    read_rows(path, true, |row| groups.entry(row.group).or_default().push(row))?;
    let (x_train, y_train) = stack(path, TRAIN, groups.iter().map(|(id, parts)| (*id, &parts.train)))?;
    let (x_test, y_test) = stack(path, TEST, groups.iter().map(|(id, parts)| (*id, &parts.test)))?;
    Ok(GroupedData { x_train, y_train, x_test, y_test })
}

const TRAIN: &str = "train";
const TEST: &str = "test";

struct Row {
    group: u64,
    x: [f64; 2],
    y: f64,
    train: bool,
}

#[derive(Default)]
struct Part {
    x: Vec<[f64; 2]>,
    y: Vec<f64>,
}

#[derive(Default)]
struct Parts {
    train: Part,
    test: Part,
}

impl Parts {
    fn push(&mut self, row: Row) {
        let part = if row.train { &mut self.train } else { &mut self.test };
        part.x.push(row.x);
        part.y.push(row.y);
    }
}

/// Hand over each row of a file, checked; without groups all rows are of group 0.
fn read_rows(path: &Path, grouped: bool, mut push: impl FnMut(Row)) -> Result<(), DataError> {
    let failed = |source| DataError::Csv { path: path.to_owned(), source };
    let mut reader = ::csv::Reader::from_path(path).map_err(failed)?;
    let header = reader.headers().map_err(failed)?.clone();
    let find = |column: &'static str| {
        let index = header.iter().position(|name| name.trim() == column);
        index.ok_or(DataError::MissingColumn { path: path.to_owned(), column: column.to_owned() })
    };
    let group = if grouped { Some(find("group")?) } else { None };
    let (x1, x2, y, split) = (find("x1")?, find("x2")?, find("y")?, find("split")?);

    for record in reader.records() {
        let record = record.map_err(failed)?;
        let field = |index: usize| record.get(index).unwrap_or_default().trim();
        let wrong = |index: usize, column: &str, wanted| {
            let column = column.to_owned();
            let line = record.position().map_or(0, ::csv::Position::line);
            DataError::Field { path: path.to_owned(), line, column, wanted, got: field(index).to_owned() }
        };
        let number = |index: usize, column| {
            let value = field(index).parse().ok().filter(|v: &f64| v.is_finite());
            value.ok_or_else(|| wrong(index, column, "a finite number"))
        };
        let row = Row {
            group: match group {
                Some(i) => field(i).parse().map_err(|_| wrong(i, "group", "a whole number of at least 0"))?,
                None => 0,
            },
            x: [number(x1, "x1")?, number(x2, "x2")?],
            y: match field(y).parse() {
                Ok(0.0) => 0.0,
                Ok(1.0) => 1.0,
                _ => return Err(wrong(y, "y", "0 or 1")),
            },
            train: match field(split) {
                TRAIN => true,
                TEST => false,
                _ => return Err(wrong(split, "split", "train or test")),
            },
        };
        push(row);
    }
    Ok(())
}

/// Groups of equal size as `[groups, rows, 2]` and `[groups, rows]`.
fn stack<'a>(
    path: &Path,
    split: &'static str,
    groups: impl Iterator<Item = (u64, &'a Part)>,
) -> Result<(Array3<f64>, Array2<f64>), DataError> {
    let groups: Vec<_> = groups.collect();
    let rows = groups.first().map_or(0, |(_, part)| part.y.len());
    if rows == 0 && groups.iter().all(|(_, part)| part.y.is_empty()) {
        return Err(DataError::EmptySplit { path: path.to_owned(), split });
    }
    if let Some((group, part)) = groups.iter().find(|(_, part)| part.y.len() != rows) {
        let (path, group, got) = (path.to_owned(), *group, part.y.len());
        return Err(DataError::UnequalGroups { path, group, split, wanted: rows, got });
    }
    let x = Array3::from_shape_fn((groups.len(), rows, 2), |(g, i, k)| groups[g].1.x[i][k]);
    let y = Array2::from_shape_fn((groups.len(), rows), |(g, i)| groups[g].1.y[i]);
    Ok((x, y))
}

fn array2(points: &[[f64; 2]]) -> Array2<f64> {
    Array2::from_shape_fn((points.len(), 2), |(i, k)| points[i][k])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, concatenate};
    use std::path::PathBuf;

    fn committed(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/moons").join(name)
    }

    #[test]
    fn the_flat_moons_are_the_file_s() {
        let data = read_csv_split(committed("moons_flat.csv")).unwrap();
        assert_eq!((data.x_train.dim(), data.x_test.dim()), ((500, 2), (500, 2)));
        assert_eq!((data.y_train.sum(), data.y_test.sum()), (254.0, 246.0)); // as data/moons/README.md says
        // Its first row.
        assert_eq!(data.x_train.row(0).to_vec(), [-1.949_700_438_983_655_9, -0.195_543_993_942_101_76]);
        // Scaled over all rows.
        let all = concatenate![Axis(0), data.x_train, data.x_test];
        assert!(all.mean_axis(Axis(0)).unwrap().iter().all(|m| m.abs() < 1e-13));
        assert!(all.std_axis(Axis(0), 0.0).iter().all(|sd| (sd - 1.0).abs() < 1e-13));
    }

    #[test]
    fn the_grouped_moons_are_the_file_s() {
        let data = read_grouped_csv(committed("moons_hier.csv")).unwrap();
        assert_eq!((data.x_train.dim(), data.y_train.dim()), ((18, 50, 2), (18, 50)));
        assert_eq!((data.x_test.dim(), data.y_test.dim()), ((18, 50, 2), (18, 50)));
        assert_eq!(data.x_train[[0, 0, 0]], 0.039_344_252_309_183_446);
        assert_eq!(data.y_train.sum() + data.y_test.sum(), 900.0); // 50 of 100 in each group
        for group in 0..18 {
            let pick = |x: &Array3<f64>| x.index_axis(Axis(0), group).to_owned();
            let all = concatenate![Axis(0), pick(&data.x_train), pick(&data.x_test)];
            // Scaled, then rotated: mean 0, and the two variances sum to 2.
            assert!(all.mean_axis(Axis(0)).unwrap().iter().all(|m| m.abs() < 1e-13));
            assert!((all.var_axis(Axis(0), 0.0).sum() - 2.0).abs() < 1e-13);
        }
    }

    #[test]
    fn turning_a_group_back_gives_columns_of_sd_one() {
        // The rotation of group 0, from data/moons/moons_hier_angles.csv.
        let data = read_grouped_csv(committed("moons_hier.csv")).unwrap();
        let pick = |x: &Array3<f64>| x.index_axis(Axis(0), 0).to_owned();
        let all = concatenate![Axis(0), pick(&data.x_train), pick(&data.x_test)];
        let back = crate::data::rotate(all.view(), -184.558_014_113_511_3).unwrap();
        assert!(back.std_axis(Axis(0), 0.0).iter().all(|sd| (sd - 1.0).abs() < 1e-12));
    }

    /// A file with these contents, gone after the test.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str, contents: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ppl-data-{}-{name}.csv", std::process::id()));
            std::fs::write(&path, contents).unwrap();
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn columns_come_in_any_order_and_groups_rise() {
        let file = Temporary::new(
            "order",
            "split,y,x2,x1,note,group\ntrain,1,2.5,-1,a,7\ntest,0, 3 ,4,b,7\ntrain,0,5,6,c,2\ntest,1.0,7,8e0,d,2\n",
        );
        let data = read_grouped_csv(&file.0).unwrap();
        assert_eq!(data.x_train.into_raw_vec_and_offset().0, [6.0, 5.0, -1.0, 2.5]);
        assert_eq!(data.y_train.into_raw_vec_and_offset().0, [0.0, 1.0]);
        assert_eq!(data.x_test.into_raw_vec_and_offset().0, [8.0, 7.0, 4.0, 3.0]);
        assert_eq!(data.y_test.into_raw_vec_and_offset().0, [1.0, 0.0]);
        assert_eq!(read_csv_split(&file.0).unwrap().x_train.row(0).to_vec(), [-1.0, 2.5]);
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_with_its_line() {
        for (number, (row, column, wanted, got)) in [
            ("0,NaN,1,0,train", "x1", "a finite number", "NaN"),
            ("0,1,inf,0,train", "x2", "a finite number", "inf"),
            ("0,1,,0,train", "x2", "a finite number", ""),
            ("0,1,1,2,train", "y", "0 or 1", "2"),
            ("0,1,1,NaN,train", "y", "0 or 1", "NaN"),
            ("0,1,1,1,valid", "split", "train or test", "valid"),
            ("-1,1,1,1,train", "group", "a whole number of at least 0", "-1"),
        ]
        .into_iter()
        .enumerate()
        {
            let text = format!("group,x1,x2,y,split\n0,1,1,1,train\n{row}\n");
            let file = Temporary::new(&format!("field{number}"), &text);
            let error = read_grouped_csv(&file.0).unwrap_err().to_string();
            let want = format!("{}, line 3, column \"{column}\": wanted {wanted}, got \"{got}\"", file.0.display());
            assert_eq!(error, want);
        }
    }

    #[test]
    fn files_that_do_not_fit_are_errors() {
        assert!(matches!(read_csv_split("no/such/file.csv"), Err(DataError::Csv { .. })));
        let file = Temporary::new("columns", "x1,x2,y\n1,2,0\n");
        let error = read_csv_split(&file.0).unwrap_err();
        assert!(matches!(&error, DataError::MissingColumn { column, .. } if column == "split"), "{error}");
        assert!(matches!(read_grouped_csv(&file.0), Err(DataError::MissingColumn { column, .. }) if column == "group"));
        let file = Temporary::new("ragged", "x1,x2,y,split\n1,2,0\n");
        assert!(matches!(read_csv_split(&file.0), Err(DataError::Csv { .. })));
        let file = Temporary::new("empty", "group,x1,x2,y,split\n");
        assert!(matches!(read_csv_split(&file.0), Err(DataError::EmptySplit { split: "train", .. })));
        assert!(matches!(read_grouped_csv(&file.0), Err(DataError::EmptySplit { split: "train", .. })));
        let file = Temporary::new("no-test", "group,x1,x2,y,split\n0,1,2,0,train\n");
        assert!(matches!(read_csv_split(&file.0), Err(DataError::EmptySplit { split: "test", .. })));
        assert!(matches!(read_grouped_csv(&file.0), Err(DataError::EmptySplit { split: "test", .. })));
        let file = Temporary::new(
            "unequal",
            "group,x1,x2,y,split\n0,1,2,0,train\n0,1,2,0,test\n3,1,2,0,train\n3,1,2,0,train\n3,1,2,1,test\n",
        );
        let error = read_grouped_csv(&file.0).unwrap_err();
        assert!(
            matches!(error, DataError::UnequalGroups { group: 3, split: "train", wanted: 1, got: 2, .. }),
            "{error}"
        );
    }
}
