"""The model module: loading, adapters, preprocessing, and inference that encodes images once.

Each family of models has its own subpackage or module. Tensor names carry their shape: N images,
B questions, C channels, H height, W width, L image tokens (class token included), T text tokens,
D hidden size, V vocabulary.
"""

import logging

# At import, on CPUs with AVX512-BF16, it warns that a kernel of a hub is missing; the model module
# does not let that kernel be used in any case.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
# It warns at every product in 8 bits of what its documentation says.
logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
