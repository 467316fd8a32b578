use ppl::prelude::*;

model! {
    /// Two-layer Bayesian neural network for binary labels: D_x => D_h => D_h => 1.
    pub fn bnn(x: Array2<f64>, y: Option<Array1<f64>>, layers: Vec<usize>) {
        let mut z = Var::from(&x);
        for (i, d) in layers.windows(2).enumerate() {
            let w = sample!("w{i}", Normal::new(0.0, 1.0).expand([d[0], d[1]]));
            z = z.matmul(w).tanh();
        }
        let w = sample!("w_final", Normal::new(0.0, 1.0).expand([z.dim(-1), 1]));
        observe!("y", Bernoulli::logits(z.matmul(w).squeeze(-1)), y);
    }
}

model! {
    /// One network per category; every weight scatters around a group mean, one scale per layer.
    pub fn hierarchical_bnn(x: Array3<f64>, y: Option<Array2<f64>>, layers: Vec<usize>) {
        let groups: Vec<_> = layers.windows(2).enumerate().map(|(i, d)| (
            sample!("w{i}_c", Normal::new(0.0, 1.0).expand([d[0], d[1]])),
            sample!("w{i}_c_std", HalfNormal::new(1.0)),
        )).collect();
        let logits = plate!("category", x.len_of(Axis(0)), dim = -3, {
            let mut z = Var::from(&x);
            for (k, (mean, std)) in groups.iter().enumerate() {
                let w = *std * sample!("w{k}_all", Normal::new(0.0, 1.0).expand(mean.shape())) + *mean;
                z = z.matmul(w);
                if k + 1 < groups.len() { z = z.tanh(); }
            }
            z.squeeze(-1)
        });
        observe!("y", Bernoulli::logits(logits), y);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = ppl::data::read_grouped_csv("data/moons/moons_hier.csv")?;
    let train = hierarchical_bnn(
        data.x_train.clone(),
        Some(data.y_train.clone()),
        vec![2, 5, 5, 1],
    );
    let t = std::time::Instant::now();
    let compiled = ppl::infer::compiled::CompiledModel::new(&train)?;
    println!("compile {:?}", t.elapsed());
    println!("{}", compiled.program().unwrap().explain());
    let program = compiled.program().unwrap();
    let mut ws = program.workspace();
    let x = vec![0.1; 763];
    let mut g = vec![0.0; 763];
    let mut v = [0.0];
    for _ in 0..3 {
        let t = std::time::Instant::now();
        for _ in 0..2000 {
            program.evaluate(&mut ws, &[&x], &mut [&mut v, &mut g]);
        }
        println!("{:?} per gradient", t.elapsed() / 2000);
    }
    let t = std::time::Instant::now();
    let posterior = Nuts::new().warmup(1000).draws(500).chains(1).run(&train)?;
    println!("nuts {:?} gradients {}", t.elapsed(), posterior.gradients());
    println!("{}", posterior.summary());
    for w in posterior.warnings() {
        println!("{w}");
    }
    for (x, y, n) in [
        (data.x_train, data.y_train, "train"),
        (data.x_test, data.y_test, "test"),
    ] {
        let m = hierarchical_bnn(x, None, vec![2, 5, 5, 1]);
        let p = posterior.predictive(&m)?.reduce("y", Mean::new())?;
        let acc = p
            .iter()
            .zip(y.iter())
            .filter(|(p, y)| (**p > 0.5) == (**y > 0.5))
            .count() as f64
            / 900.0;
        println!("{n} accuracy {acc}");
    }
    Ok(())
}
