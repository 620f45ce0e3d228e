#!/usr/bin/env bash
# Offers changed lock files as a pull request: `make propose`, after `make lock`. Needs gh and GH_TOKEN.
set -euo pipefail

if git diff --quiet -- requirements.lock requirements-dev.lock; then
  echo "the packages are the newest that fit together: nothing to propose"
  exit
fi
branch=newest-packages
gh auth setup-git
git switch --force-create "$branch"
git -c user.name=packages -c user.email=packages@users.noreply.github.com commit --quiet --message "Update the pinned packages" -- requirements.lock requirements-dev.lock
git push --force origin "$branch"
if [ -z "$(gh pr list --head "$branch" --json number --jq '.[].number')" ]; then
  gh pr create --head "$branch" --title "Update the pinned packages" --body "The newest versions that fit together. Close this and open it again: then the checks say whether they work."
fi
