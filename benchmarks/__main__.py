"""Run every benchmark, one after another."""

from benchmarks import processes, registration

if __name__ == "__main__":
    registration.main()
    processes.main()
