"""Vectors of Microsoft SEAL, through the wheel `tenseal`, for encoding and for what products, rescaling and key
switching must decrypt to.

    python3 -m venv venv && venv/bin/pip install tenseal==0.3.16 numpy && venv/bin/python generate.py

SEAL works in the ring of degree 2N, of which the elements that X -> 1/X leaves alone are our ring of degree N: real
slots make exactly those. SEAL's slot i is the value at zeta^(3^i), ours k that at zeta^(4k+1), zeta of order 4N; a
real slot is the same at an exponent and at its negative.
"""

import json
import random

import tenseal.sealapi as seal

N = 64
SCALE = 2.0**40


def context(bits):
    parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
    parameters.set_poly_modulus_degree(2 * N)
    moduli = seal.CoeffModulus.Create(2 * N, bits)
    parameters.set_coeff_modulus(moduli)
    return seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.NONE), moduli


def ours_of_seals():
    """For each of our slots the index of SEAL's."""
    exponents = {}
    power = 1
    for i in range(N):
        exponents[power] = i
        exponents[4 * N - power] = i
        power = power * 3 % (4 * N)
    return [exponents[4 * k + 1] for k in range(N)]


def minimal_root(order, q):
    """The least primitive root of unity of this order, which SEAL's transform is built on."""
    candidate = next(g for g in range(2, q) if pow(pow(g, (q - 1) // order, q), order // 2, q) == q - 1)
    root = pow(candidate, (q - 1) // order, q)
    return min(pow(root, odd, q) for odd in range(1, order, 2))


def coefficients(values, q):
    """Inverse of SEAL's transform, whose output is in bit-reversed order; centred."""
    n = 2 * N
    bits = n.bit_length() - 1
    root = minimal_root(2 * n, q)
    reversed_bits = [int(format(i, f"0{bits}b")[::-1], 2) for i in range(n)]
    inverse = pow(n, -1, q)
    result = []
    for j in range(n):
        total = sum(v * pow(root, -(2 * r + 1) * j, q) for v, r in zip(values, reversed_bits))
        c = total * inverse % q
        result.append(c - q if c > q // 2 else c)
    return result


def main():
    random.seed(1)
    order = ours_of_seals()
    cases = []
    for bits in ([60, 40, 40, 60], [60, 42, 42, 60]):
        ctx, moduli = context(bits)
        encoder = seal.CKKSEncoder(ctx)
        keygen = seal.KeyGenerator(ctx)
        public, relin = seal.PublicKey(), seal.RelinKeys()
        keygen.create_public_key(public)
        keygen.create_relin_keys(relin)
        encryptor = seal.Encryptor(ctx, public)
        decryptor = seal.Decryptor(ctx, keygen.secret_key())
        evaluator = seal.Evaluator(ctx)

        def encode(slots):
            plain = seal.Plaintext()
            theirs = [0.0] * N
            for k, i in enumerate(order):
                theirs[i] = slots[k]
            encoder.encode(theirs, SCALE, plain)
            return plain

        def encrypt(slots):
            cipher = seal.Ciphertext()
            encryptor.encrypt(encode(slots), cipher)
            return cipher

        def decrypt(cipher):
            plain = seal.Plaintext()
            decryptor.decrypt(cipher, plain)
            theirs = encoder.decode_double(plain)
            return [theirs[i] for i in order]

        for spread in (1.0, 8.0):
            x = [random.uniform(-spread, spread) for _ in range(N)]
            y = [random.uniform(-spread, spread) for _ in range(N)]
            plain = encode(x)
            q = moduli[0].value()
            whole = coefficients([plain.data(i) for i in range(2 * N)], q)
            # invariant under X -> 1/X: the upper half is the lower one, mirrored and negated
            assert whole[N] == 0 and all(whole[2 * N - j] == -whole[j] for j in range(1, N)), whole
            product = seal.Ciphertext()
            evaluator.multiply(encrypt(x), encrypt(y), product)
            three_parts = decrypt(product)
            evaluator.relinearize_inplace(product, relin)
            relinearised = decrypt(product)
            evaluator.rescale_to_next_inplace(product)
            rescaled = decrypt(product)
            evaluator.square_inplace(product)
            evaluator.relinearize_inplace(product, relin)
            evaluator.rescale_to_next_inplace(product)
            cases.append(
                {
                    "x": x,
                    "y": y,
                    "coefficients": whole[:N],
                    "product": three_parts,
                    "relinearised": relinearised,
                    "rescaled": rescaled,
                    "fourth_power": decrypt(product),
                }
            )
    with open("seal.json", "w") as file:
        json.dump({"n": N, "scale": SCALE, "cases": cases}, file)


main()
