"""BLAKE3 of at most 1,024 bytes, in place of the package `blake3`: the tests install nothing that is built for a platform."""

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, ROOT = 1, 2, 8


def compress(chaining, block, flags):
    words = [int.from_bytes(block.ljust(64, b"\0")[at : at + 4], "little") for at in range(0, 64, 4)]
    state = [*chaining, *IV[:4], 0, 0, len(block), flags]

    def mix(a, b, c, d, word, turns):
        state[a] = (state[a] + state[b] + word) & 0xFFFFFFFF
        for target, other, turn in ((d, a, turns[0]), (b, c, turns[1])):
            mixed = state[target] ^ state[other]
            state[target] = (mixed >> turn | mixed << (32 - turn)) & 0xFFFFFFFF
            if target == d:
                state[c] = (state[c] + state[d]) & 0xFFFFFFFF

    for _ in range(7):
        for index, (a, b, c, d) in enumerate(MIXES):
            mix(a, b, c, d, words[2 * index], (16, 12))
            mix(a, b, c, d, words[2 * index + 1], (8, 7))
        words = [words[place] for place in PERMUTATION]
    return [state[index] ^ state[index + 8] for index in range(8)]


class blake3:
    def __init__(self, data):
        assert len(data) <= 1024, "names are shorter"
        blocks = [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]
        chaining = IV
        for index, block in enumerate(blocks):
            is_last = index == len(blocks) - 1
            chaining = compress(chaining, block, CHUNK_START * (index == 0) | (CHUNK_END | ROOT) * is_last)
        self.digest = b"".join(word.to_bytes(4, "little") for word in chaining)

    def hexdigest(self):
        return self.digest.hex()
