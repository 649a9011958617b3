#!/bin/sh
# Certificates good and bad, made with openssl(1): certificates.sh FOLDER
# For each NAME there is NAME.pem (our own first, then what is between it and
# the CA) and NAME.key.
set -eu
cd "$1"
exec >log 2>&1

cat >conf <<'END'
[req]
distinguished_name = subject
prompt = no
[subject]
[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
crlnumber = crlnumber
default_md = sha256
default_crl_days = 3650
default_startdate = 20200101000000Z
default_enddate = 20491231235959Z
policy = any
email_in_dn = no
unique_subject = no
[any]
commonName = optional
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
END
: >index
echo 01 >serial
echo 01 >crlnumber

ec() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
root() { # NAME SUBJECT: a CA that signs itself
    ec "$1"
    openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 3650 -out "$1.pem" \
        -config conf -extensions authority
}
sign() { # NAME ISSUER COMMON_NAME ALTERNATIVE_NAMES [MORE...]: with NAME.key
    name=$1 issuer=$2 common=$3 names=$4
    shift 4
    openssl req -new -key "$name.key" -subj "/CN=$common" -config conf -out "$name.csr"
    { echo 'basicConstraints = CA:false'; [ -z "$names" ] || echo "subjectAltName = $names"; } >"$name.ext"
    openssl ca -batch -notext -config conf -cert "$issuer.pem" -keyfile "$issuer.key" \
        -in "$name.csr" -out "$name.pem" -extfile "$name.ext" "$@"
}
issue() { # the same, with a new key
    ec "$1"
    sign "$@"
}

here='DNS:localhost,IP:127.0.0.1,IP:::1'
root ca 'Test CA'
root stranger 'Strange CA'
issue server ca localhost "$here"
issue name ca elsewhere 'DNS:elsewhere.example,DNS:*.other.example'
issue only_name ca localhost 'DNS:localhost'
issue address ca 127.0.0.1 'IP:127.0.0.1'
issue common ca localhost ''
issue unknown stranger localhost "$here"
issue expired ca localhost "$here" -startdate 20200101000000Z -enddate 20210101000000Z
issue early ca localhost "$here" -startdate 20480101000000Z -enddate 20490101000000Z
issue revoked ca localhost "$here"
issue sha1 ca localhost "$here" -md sha1
openssl genrsa -out rsa512.key 512
sign rsa512 ca localhost "$here"
ec self
openssl req -x509 -new -key self.key -subj /CN=localhost -days 3650 -config conf \
    -addext "subjectAltName=$here" -out self.pem

ec middle
openssl req -new -key middle.key -subj '/CN=Test Intermediate' -config conf -out middle.csr
openssl ca -batch -notext -config conf -cert ca.pem -keyfile ca.key -in middle.csr \
    -out middle.pem -extfile conf -extensions authority
issue chain middle localhost "$here"
cat middle.pem >>chain.pem
ec bare
issue bare middle localhost "$here"

issue client ca 'client 7' ''
issue foreign stranger 'client 8' ''
openssl pkey -in client.key -aes256 -passout pass:secret -out locked.key
cat client.pem client.key >both.pem
openssl pkey -in client.key -outform DER -out client.der
openssl genrsa -out rsa.key 2048
sign rsa ca localhost "$here"

openssl ca -config conf -cert ca.pem -keyfile ca.key -revoke revoked.pem
openssl ca -gencrl -config conf -cert ca.pem -keyfile ca.key -out crl.pem
openssl ca -gencrl -config conf -cert ca.pem -keyfile ca.key -out old_crl.pem \
    -crl_lastupdate 20200101000000Z -crl_nextupdate 20210101000000Z
mkdir trusted
cp ca.pem "trusted/$(openssl x509 -in ca.pem -noout -hash).0"
cat stranger.pem ca.pem >bundle.pem
