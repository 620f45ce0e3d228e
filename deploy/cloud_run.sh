#!/usr/bin/env bash
# Puts the gateway on Google Cloud Run: `make deploy IMAGE=… TAG=…`; docs/deploy.md says what has to be there before.
set -euo pipefail

image=$1
for name in GOOGLE_CLOUD_PROJECT CLOUD_RUN_SERVICE CLOUD_RUN_REGION KAFKA_BOOTSTRAP; do
  if [ -z "${!name:-}" ]; then
    echo "$name is not set: give it as docs/deploy.md says" >&2
    exit 2
  fi
done

if [ -n "${GOOGLE_CREDENTIALS:-}" ]; then # without it, whoever gcloud knows already
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (umask 077 && printenv GOOGLE_CREDENTIALS >"$folder/credentials.json")
  gcloud auth login --quiet --cred-file "$folder/credentials.json"
fi

variables="TETOUAN_KAFKA_BOOTSTRAP=$KAFKA_BOOTSTRAP|TETOUAN_KAFKA_SECURITY=SASL_SSL"
variables+="|TETOUAN_KAFKA_SASL_MECHANISM=${KAFKA_SASL_MECHANISM:-SCRAM-SHA-512}|TETOUAN_KAFKA_USERNAME=${KAFKA_USERNAME:-gateway}"
if [ -n "${MLFLOW_URI:-}" ]; then variables+="|TETOUAN_MLFLOW_URI=$MLFLOW_URI"; fi

# One instance that always has its processor: it follows the topics whether anybody asks it or not. Whoever calls it needs
# a key of its own (`tetouan keys create`), so Cloud Run lets all through.
gcloud run deploy "$CLOUD_RUN_SERVICE" \
  --quiet \
  --project "$GOOGLE_CLOUD_PROJECT" \
  --region "$CLOUD_RUN_REGION" \
  --image "$image" \
  --args run,gateway \
  --port 8000 \
  --cpu 1 --memory 1Gi --no-cpu-throttling \
  --min-instances 1 --max-instances 1 \
  --allow-unauthenticated \
  --set-env-vars "^|^$variables" \
  --set-secrets "TETOUAN_KAFKA_PASSWORD=tetouan-kafka-password:latest,TETOUAN_DATABASE_URL=tetouan-database-url:latest"
