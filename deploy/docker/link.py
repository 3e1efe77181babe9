"""Make the project in /app and its command `paceboard` part of the image's environment."""

from pathlib import Path

from deploy.local.places import REPOSITORY, Places
from deploy.local.python import link_project

MADE = Path("/opt/paceboard")

if __name__ == "__main__":
    link_project(Places(repository=REPOSITORY, made=MADE, state=MADE))
