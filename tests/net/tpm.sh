#!/bin/sh
# A key in the TPM that TPM2OPENSSL_TCTI names, and a certificate for it by the CA
# of certificates.sh: tpm.sh FOLDER makes tpm.key and tpm.pem there. Waits until
# the TPM answers.
set -eu
cd "$1"
exec >>log 2>&1

cat >tpm_conf <<'END'
openssl_conf = begin
[begin]
providers = all
alg_section = queries
[all]
default = our_default
tpm2 = our_tpm2
[our_default]
activate = 1
[our_tpm2]
activate = 1
[queries]
default_properties = ?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes,tpm2.rand!=yes
[req]
distinguished_name = subject
prompt = no
[subject]
CN = client in a TPM
END

tries=0
until OPENSSL_CONF=tpm_conf openssl genpkey -algorithm EC \
    -pkeyopt group:P-256 -out tpm.key && grep TSS2 tpm.key; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || exit 1
    sleep 0.1
done
OPENSSL_CONF=tpm_conf openssl req -new -key tpm.key -config tpm_conf -out tpm.csr
openssl x509 -req -in tpm.csr -CA ca.pem -CAkey ca.key -days 3650 -out tpm.pem
