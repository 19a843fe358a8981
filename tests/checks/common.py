"""What the checks of this folder share."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def report(problems):
    """Prints the problems; the exit code: 0 where there are none."""
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def project_files(*patterns):
    """The project's own files (what git would keep) that match, as paths from the root.

    Without git, as in a released archive: every file outside the build folders."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others",
             "--exclude-standard", "--", *(f":(glob){pattern}" for pattern in patterns)],
            check=True, capture_output=True, text=True).stdout.split("\0")
        names = {name for name in listed if name}
    except (OSError, subprocess.CalledProcessError):
        names = {path.relative_to(ROOT).as_posix()
                 for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(name for name in names
                  if not name.startswith("build") and (ROOT / name).is_file())
