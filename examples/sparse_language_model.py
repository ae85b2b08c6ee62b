"""A causal language model made sparse: with a tenth of its kernels' weights it learns to speak a small grammar.

python examples/sparse_language_model.py
"""

import re

import keras
import numpy as np
from keras import layers, ops

from keras_sparseflow import sparsify, sparsity_summary

# A text to learn: sentences whose verb agrees with its subject, also where another noun stands between them.
NOUNS = (["cat", "dog", "bird", "child", "king"], ["cats", "dogs", "birds", "children", "kings"])
VERBS = (["sees", "hears", "likes", "follows"], ["see", "hear", "like", "follow"])
ARTICLES = (["a", "the"], ["some", "the"])
END, LENGTH, SIZE = ".", 24, 64


def sentence(rng):
    """Returns the words of a random sentence, such as "the kings near a dog see some birds ."."""
    first, second, third = rng.integers(2, size=3)  # singular or plural
    phrases = [[rng.choice(ARTICLES[plural]), rng.choice(NOUNS[plural])] for plural in (first, second, third)]
    between = ["near", *phrases[1]] if rng.random() < 0.5 else []
    return [*phrases[0], *between, rng.choice(VERBS[first]), *phrases[2], END]


def is_grammatical(text):
    """Returns whether a text is a sentence of the grammar."""
    phrases = [f"({'|'.join(ARTICLES[plural])}) ({'|'.join(NOUNS[plural])})" for plural in (0, 1)]
    phrase = f"({'|'.join(phrases)})"
    clauses = [f"{phrases[plural]} (near {phrase} )?({'|'.join(VERBS[plural])})" for plural in (0, 1)]
    return re.fullmatch(rf"({'|'.join(clauses)}) {phrase} \.", text) is not None


def language_model(words):
    """Returns a transformer of two blocks that gives the logits of each next word, made of stock layers."""
    inputs = keras.Input((LENGTH,), dtype="int32")
    places = ops.cumsum(ops.ones_like(inputs), axis=1) - 1
    x = layers.Embedding(words, SIZE, name="words")(inputs) + layers.Embedding(LENGTH, SIZE, name="places")(places)
    for number in (1, 2):
        y = layers.LayerNormalization()(x)
        x += layers.MultiHeadAttention(4, SIZE // 4, name=f"attention{number}")(y, y, use_causal_mask=True)
        y = layers.Dense(4 * SIZE, activation="gelu", name=f"wide{number}")(layers.LayerNormalization()(x))
        x += layers.Dense(SIZE, name=f"narrow{number}")(y)
    return keras.Model(inputs, layers.Dense(words, name="head")(layers.LayerNormalization()(x)))


def speak(model, vocabulary, count, rng):
    """Returns sentences that the model says, word by word; each word is drawn by its probability."""
    tokens = np.full((count, LENGTH), vocabulary.index(END))
    for place in range(1, LENGTH):  # attention is causal, so what stands behind does not matter
        logits = ops.convert_to_numpy(model(tokens))[:, place - 1]
        tokens[:, place] = np.argmax(logits + rng.gumbel(size=logits.shape), axis=-1)
    texts = [" ".join(vocabulary[token] for token in row[1:]) for row in tokens]
    return [text.partition(f" {END}")[0] + f" {END}" for text in texts]


rng = np.random.default_rng(0)
keras.utils.set_random_seed(0)
text = [word for _ in range(8000) for word in sentence(rng)]
vocabulary = sorted({str(word) for word in text})
stream = np.array([vocabulary.index(word) for word in text])
stream = stream[: len(stream) // (LENGTH + 1) * (LENGTH + 1)].reshape(-1, LENGTH + 1)
x, y, held_back = stream[:-200, :-1], stream[:-200, 1:], stream[-200:]

model = sparsify(language_model(len(vocabulary)), density=0.1, seed=0)
model.compile(keras.optimizers.Adam(0.005), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, batch_size=64, epochs=12, verbose=0)

print(sparsity_summary(model))
loss = model.evaluate(held_back[:, :-1], held_back[:, 1:], verbose=0)
print(f"Loss on text held back: {loss:.3f}; of words drawn at random it would be {np.log(len(vocabulary)):.3f}")
said = speak(model, vocabulary, 200, rng)
print(*said[:5], sep="\n")
print(f"Grammatical: {sum(map(is_grammatical, said))} of {len(said)} sentences")
