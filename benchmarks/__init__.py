"""What docs/benchmarks.md promises, measured: `make bench`, or `python -m benchmarks --help`.

Each module asks one question and measures our side against its peer or limit in the same run,
A B A B, so that a machine whose speed drifts slows both. Figures of different runs are not
compared.
"""
