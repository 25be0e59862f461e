"""
Images: samples, reconstructions and the latent plane
=====================================================

A variational autoencoder with a convolutional encoder and decoder learns 5,000 small images of
clothes (Fashion-MNIST; Debian's package dataset-fashion-mnist). Where that package is not
installed, the 8 × 8 digits of scikit-learn take its place.
"""

# %%
# Images are rows of a table. Pixels are counts of ink, and many are 0: a negative binomial
# distribution, whose spread is learned for every pixel, suits them.
import gzip
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_genmodel.vae import ConvDecoder, ConvEncoder, VAEEstimator

FOLDER = Path("/usr/share/datasets/fashion-mnist")


def load_images(n_images=5000):
    """Rows of pixels, labels used for colours only, and the shape of an image."""
    if not FOLDER.exists():
        X, y = load_digits(return_X_y=True)
        return X, y, (8, 8)
    pixels = gzip.decompress((FOLDER / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FOLDER / "train-labels-idx1-ubyte.gz").read_bytes())
    X = np.frombuffer(pixels, dtype=np.uint8, offset=16).reshape(-1, 28 * 28)
    y = np.frombuffer(labels, dtype=np.uint8, offset=8)
    # 16 levels of grey are enough here.
    return X[:n_images] // 16, y[:n_images], (28, 28)


X, y, shape = load_images()
vae = VAEEstimator(
    n_latent=2,
    likelihood="negative_binomial",
    encoder=ConvEncoder(shape),
    decoder=ConvDecoder(shape),
    learning_rate=3e-3,
    max_epochs=80,
    random_state=0,
)
train, test = X[:-500], X[-500:]
vae.fit(train)
print(f"log-density of held-out images: {vae.score(test):.1f} nats")

# %%
# The latent plane: every image is a point, similar ones lie close together.
Z = vae.transform(test)
fig, ax = plt.subplots(figsize=(6, 5))
points = ax.scatter(*Z.T, c=y[-500:], cmap="tab10", s=12)
ax.set(xlabel="first latent unit", ylabel="second latent unit", title="Held-out images")
fig.colorbar(points, label="class")


# %%
# Images, what is left of them after two numbers, and new ones. Means of the decoder are shown:
# pixels have noise of their own, which ``sample`` adds unless ``return_mean=True``.
def show(rows, title, axes):
    """Draw images side by side."""
    for ax, row in zip(axes, rows, strict=True):
        ax.imshow(row.reshape(shape), cmap="gray_r")
        ax.set_axis_off()
    axes[0].set_title(title, loc="left")


fig, axes = plt.subplots(4, 10, figsize=(10, 5))
show(test[:10], "held-out images", axes[0])
show(vae.reconstruct(test[:10]), "reconstructions", axes[1])
show(vae.sample(10, random_state=0, return_mean=True), "samples", axes[2])
show(vae.interpolate(test[0], test[1], 10), "from the first image to the second", axes[3])
plt.show()
