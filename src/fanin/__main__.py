"""`python -m fanin`: the command line, where the `fanin` script is not on the path."""

from fanin.cli import main

if __name__ == "__main__":
    main()
