"""One dense layer of 845 inputs and 100 outputs, squared, relinearised and rescaled: Microsoft SEAL (through the wheel
`tenseal`) beside this crate, by turns in one run, both on one thread.

    python3 -m venv venv && venv/bin/pip install tenseal==0.3.16 numpy
    cargo build --release -p cryptodl-ckks --example layer
    venv/bin/python he-eval/ckks/benches/peers/seal.py target/release/examples/layer results/reference/seal-layer

Both at ring degree 8192 with three 40-bit primes and a special one. SEAL packs 4,096 numbers in a ciphertext of that
degree, this crate 8,192, so `images_per_s` is the figure to compare. SEAL is given every advantage that its interface
has: weights are encoded once for each of their 255 values, at scale 1 and in transformed form, and sums are made in
place. This crate's scale is two bits larger, so that its results are at least as exact (`largest_error`).

The folder gets `layer.csv` and `manifest.json`.
"""

import csv
import datetime
import importlib.metadata
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import tenseal.sealapi as seal

INPUTS, OUTPUTS, ROUNDS = 845, 100, 5
N, SCALE = 8192, 2.0**30
WHOLE = "dense, square, relinearise, rescale"


def weight(output, i):
    return (output * INPUTS + i) * 37 % 255 - 127


def slot(i, k):
    return (i * 31 + k * 17) % 256 / 65536.0


class Seal:
    def __init__(self):
        parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
        parameters.set_poly_modulus_degree(N)
        parameters.set_coeff_modulus(seal.CoeffModulus.Create(N, [40, 40, 40, 40]))
        self.context = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
        self.encoder = seal.CKKSEncoder(self.context)
        keygen = seal.KeyGenerator(self.context)
        self.relin = seal.RelinKeys()
        keygen.create_relin_keys(self.relin)
        self.encryptor = seal.Encryptor(self.context, keygen.secret_key())
        self.decryptor = seal.Decryptor(self.context, keygen.secret_key())
        self.evaluator = seal.Evaluator(self.context)
        self.slots = self.encoder.slot_count()
        self.weights = {}
        for w in range(-127, 128):
            if w != 0:
                plain = seal.Plaintext()
                self.encoder.encode(float(w), 1.0, plain)
                self.weights[w] = plain
        self.plain = []
        for i in range(INPUTS):
            plain = seal.Plaintext()
            self.encoder.encode([slot(i, k) for k in range(self.slots)], SCALE, plain)
            self.plain.append(plain)

    def round(self):
        times = {}

        def stage(name, start):
            times[name] = time.perf_counter() - start

        start = time.perf_counter()
        inputs = []
        for plain in self.plain:
            c = seal.Ciphertext()
            self.encryptor.encrypt_symmetric(plain, c)
            inputs.append(c)
        # without encoding, which was done before
        stage("encrypt all inputs", start)
        start = time.perf_counter()
        sums = []
        product = seal.Ciphertext()
        for o in range(OUTPUTS):
            total = None
            for i, c in enumerate(inputs):
                w = weight(o, i)
                if w == 0:
                    continue
                if total is None:
                    total = seal.Ciphertext()
                    self.evaluator.multiply_plain(c, self.weights[w], total)
                else:
                    self.evaluator.multiply_plain(c, self.weights[w], product)
                    self.evaluator.add_inplace(total, product)
            sums.append(total)
        stage("dense", start)
        start = time.perf_counter()
        for c in sums:
            self.evaluator.square_inplace(c)
        stage("square", start)
        start = time.perf_counter()
        for c in sums:
            self.evaluator.relinearize_inplace(c, self.relin)
            self.evaluator.rescale_to_next_inplace(c)
        stage("relinearise and rescale", start)
        times[WHOLE] = times["dense"] + times["square"] + times["relinearise and rescale"]
        start = time.perf_counter()
        decrypted = []
        for c in sums:
            plain = seal.Plaintext()
            self.decryptor.decrypt(c, plain)
            decrypted.append(self.encoder.decode_double(plain))
        stage("decrypt all outputs", start)
        error = 0.0
        for o in (0, OUTPUTS - 1):
            for k in range(0, self.slots, 97):
                exact = sum(weight(o, i) * slot(i, k) for i in range(INPUTS)) ** 2
                error = max(error, abs(decrypted[o][k] - exact))
        return times, error


def manifest(started):
    def said(*command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    with open("/proc/cpuinfo") as file:
        cpu = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    return {
        "command": ["python", *sys.argv],
        "commit": said("git", "rev-parse", "HEAD"),
        "dirty": said("git", "status", "--porcelain", "--untracked-files=no") != "",
        "cpu": cpu,
        "cores": os.cpu_count(),
        "os": platform.platform(),
        "rustc": said("rustc", "--version"),
        "python": platform.python_version(),
        "tenseal": importlib.metadata.version("tenseal"),
        "started": started,
        "ended": now(),
    }


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def write(path, text):
    with open(path + ".partial", "w", newline="") as file:
        file.write(text)
    os.replace(path + ".partial", path)


def main():
    binary, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    started = now()
    theirs = Seal()
    runs = {"SEAL 4.0 (tenseal 0.3.16)": [], "cryptodl-ckks": []}
    slots, kernels, errors = {}, {}, {}
    for _ in range(ROUNDS):
        name = "SEAL 4.0 (tenseal 0.3.16)"
        times, errors[name] = theirs.round()
        slots[name], kernels[name] = theirs.slots, ""
        runs[name].append(times)
        name = "cryptodl-ckks"
        lines = subprocess.run([binary], check=True, capture_output=True, text=True).stdout.splitlines()
        fields = dict(line.rsplit(",", 1) for line in lines)
        kernels[name], slots[name] = fields.pop("kernel"), int(fields.pop("slots"))
        errors[name] = float(fields.pop("largest error"))
        runs[name].append({stage: float(seconds) for stage, seconds in fields.items()})
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["library", "kernel", "threads", "ring_degree", "slots", "stage", "rounds", "median_s", "images_per_s", "largest_error"])
    for name, times in runs.items():
        for stage in times[0]:
            median = statistics.median(t[stage] for t in times)
            writer.writerow([name, kernels[name], 1, N, slots[name], stage, ROUNDS, f"{median:.6g}", f"{slots[name] / median:.6g}", f"{errors[name]:.2e}"])
    write(os.path.join(folder, "layer.csv"), table.getvalue())
    write(os.path.join(folder, "manifest.json"), json.dumps(manifest(started), indent=2) + "\n")


if __name__ == "__main__":
    main()
