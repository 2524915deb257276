//! driver
use cryptodl_network::*;
use cryptodl_train::*;
struct P(std::time::Instant);
impl Observer for P {
    fn step(&mut self, p: &Progress) {
        if p.step % 50 == 0 && p.epoch == 1 {
            println!(
                "  {}/{} loss {:.4} acc {:.4} {:.0} img/s",
                p.step, p.steps, p.loss, p.accuracy, p.images_per_s
            );
        }
    }
    fn epoch(&mut self, r: &EpochReport) {
        println!(
            "epoch {}/{} loss {:.4} grad {:.2} batch {:.4} val {:.4} {:.1}s {:.0} img/s",
            r.epoch,
            r.epochs,
            r.loss,
            r.gradient_norm,
            r.batch_accuracy,
            r.validation_accuracy,
            r.epoch_s,
            r.images_per_s
        );
    }
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // args: network-json-or-name recipe-json out [checkpoint]
    let a: Vec<String> = std::env::args().collect();
    let dir = datasets::default_dir();
    datasets::fetch("mnist", &dir, &mut |l| println!("{l}"))?;
    let data = datasets::load("mnist", &dir)?;
    let q = approx::method("chebyshev")?.fit(
        &approx::Activation::Relu,
        approx::Interval::new(-4.0, 4.0)?,
        2,
    )?;
    let net: Network = if a[1].starts_with('{') {
        serde_json::from_str(&a[1])?
    } else {
        zoo::network(&a[1])?
    };
    let net = net.with_activation(&Nonlinearity::Polynomial {
        polynomial: q,
        learnable: false,
    });
    let recipe: Recipe = serde_json::from_str(&a[2])?;
    println!(
        "{} parameters, {} activation outputs, {recipe:?}",
        net.parameters()?,
        net.activation_outputs()
    );
    let t = train(
        &net,
        &data,
        &recipe,
        a.get(4).map(|p| p.as_ref()),
        &mut P(std::time::Instant::now()),
    )?;
    println!(
        "RESULT train {:.4} validation {:.4} test {:.4} {:.0}s",
        t.train_accuracy, t.validation_accuracy, t.test_accuracy, t.train_s
    );
    let mut artifact = t.artifact;
    artifact.provenance.activation = "relu".into();
    artifact.provenance.method = "chebyshev".into();
    artifact.save(a[3].as_ref())?;
    Ok(())
}
