"""Work on a Ray cluster, of this machine or of others."""

from shared.cluster.authentication import present_own_token

# Ray reads its settings once, when it is imported, which the modules of this package do.
present_own_token()
