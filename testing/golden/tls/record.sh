#!/bin/sh
# Makes the stores of this directory with keytool and openssl: an authority, a worker that it signed, the worker's
# key and the authority's certificate in each format. Passwords are public: nothing real is protected by them.
set -eu
cd "$(dirname "$0")"
rm -f ./*.jks ./*.p12 ./*.pem ./*.csr
tool() { keytool "$@" -storepass changeit -noprompt 2>/dev/null; }
tool -genkeypair -alias ca -keystore ca.p12 -storetype PKCS12 -keyalg EC -groupname secp256r1 -validity 36500 -dname CN=authority -ext bc:c
tool -exportcert -rfc -alias ca -keystore ca.p12 -file ca.pem
tool -genkeypair -alias worker -keystore worker.p12 -storetype PKCS12 -keyalg EC -groupname secp256r1 -validity 36500 -dname CN=worker
tool -certreq -alias worker -keystore worker.p12 -file worker.csr
tool -gencert -rfc -alias ca -keystore ca.p12 -infile worker.csr -outfile worker.pem -validity 36500 \
    -ext san=dns:localhost,ip:127.0.0.1 -ext eku=serverAuth,clientAuth
tool -importcert -alias ca -keystore worker.p12 -file ca.pem
tool -importcert -alias worker -keystore worker.p12 -file worker.pem
tool -importkeystore -srckeystore worker.p12 -srcstorepass changeit -destkeystore worker.jks -deststoretype JKS -srcalias worker -destkeypass other-one
tool -importcert -alias ca -keystore trust.p12 -storetype PKCS12 -file ca.pem
tool -importcert -alias ca -keystore trust.jks -storetype JKS -file ca.pem
openssl pkcs12 -in worker.p12 -passin pass:changeit -nodes -nocerts | sed -n '/BEGIN/,/END/p' > worker-key.pem
openssl pkcs8 -topk8 -v2 aes-256-cbc -in worker-key.pem -passout pass:changeit -out worker-key-encrypted.pem
openssl pkcs12 -export -legacy -in worker.pem -inkey worker-key.pem -certfile ca.pem -passout pass:changeit -name worker -out worker-legacy.p12
rm -f ca.p12 worker.csr
