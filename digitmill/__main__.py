"""`python -m digitmill`: the command `digitmill`."""

from digitmill.packages import ignore_current_folder

if __name__ == "__main__":
    ignore_current_folder()
    from producer.cli import main

    main(prog_name="python -m digitmill")
