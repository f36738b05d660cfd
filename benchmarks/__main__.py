"""Run every benchmark, one after another."""

from benchmarks import artifacts, processes, registration

if __name__ == "__main__":
    registration.main()
    artifacts.main()
    processes.main()
