"""Images a second of forward + backward + step in PyTorch, on the networks `lenet` and `airbench` of the zoo.

The same layers, batch sizes and optimiser as `cryptodl speed`, on images of noise: convolution, mean pool, batch norm,
0.2 + x/2 + x²/8 in place of ReLU, dense layers, cross-entropy with label smoothing, AdamW. One line of CSV for each
network, memory format and precision, in the columns of `speed.csv`. With `bf16 autocast`, products are of bf16 numbers,
weights and optimiser are in fp32.

    pip install torch
    python torch_train.py --threads 2 >> speed.csv
"""

import argparse
import statistics
import time

import torch
from torch import nn


class Quadratic(nn.Module):
    def forward(self, x):
        return 0.2 + x * (0.5 + 0.125 * x)


def conv(inputs, outputs, kernel, padding):
    # batch norm takes the bias away again
    return nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False)


def lenet():
    return nn.Sequential(
        conv(1, 32, 5, 0), nn.AvgPool2d(2), nn.BatchNorm2d(32), Quadratic(),
        conv(32, 80, 5, 0), nn.AvgPool2d(2), nn.BatchNorm2d(80), Quadratic(),
        nn.Flatten(), nn.Linear(1280, 204, bias=False), nn.BatchNorm1d(204), Quadratic(),
        nn.Linear(204, 10),
    )


def airbench():
    layers = [conv(3, 24, 2, 0), nn.BatchNorm2d(24), Quadratic()]
    inputs = 24
    for outputs in (64, 256, 256):
        layers += [conv(inputs, outputs, 3, 1), nn.AvgPool2d(2), nn.BatchNorm2d(outputs), Quadratic()]
        layers += [conv(outputs, outputs, 3, 1), nn.BatchNorm2d(outputs), Quadratic()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AvgPool2d(3), nn.Flatten(), nn.Linear(256, 10))


NETWORKS = {"lenet": (lenet, (1, 28, 28), 256), "airbench": (airbench, (3, 32, 32), 128)}


def measure(name, channels_last, mixed, seconds):
    build, shape, batch = NETWORKS[name]
    torch.manual_seed(1)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = build().to(memory_format=layout).train()
    images = torch.randn(batch, *shape).to(memory_format=layout)
    labels = torch.arange(batch) % 10
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            loss = loss_of(net(images), labels)
        loss.backward()
        optimiser.step()

    for _ in range(2):
        step()
    times = []
    while sum(times) < seconds or len(times) < 5:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return batch, len(times), batch / statistics.median(times), batch / min(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each line")
    parser.add_argument("--run-id", default="speed")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.networks:
        for channels_last, mixed in ((False, False), (True, False), (True, True)):
            batch, steps, median, best = measure(name, channels_last, mixed, arguments.seconds)
            precision = "bf16 autocast" if mixed else "fp32"
            kind = f"torch {torch.__version__} {precision}" + (" channels-last" if channels_last else "")
            print(f"{arguments.run_id},{name},{kind},{batch},{arguments.threads},{steps},{median:.1f},{best:.1f},", flush=True)


if __name__ == "__main__":
    main()
