"""`python -m dokja` is the command `dokja`."""

from dokja.cli import main

if __name__ == "__main__":
    main()
