// libcrypto (OpenSSL 3), opened on first use: a process that never digests anything never pays for loading it.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stddef.h>
#include <stdint.h>

// Every function that is used, once: the table's fields and the names to resolve come from this list.
#define COPENSSL_FUNCTIONS(X) \
    X(EVP_Digest) \
    X(EVP_sha256) \
    X(EVP_EncodeBlock) \
    X(EVP_CIPHER_CTX_new) \
    X(EVP_CIPHER_CTX_free) \
    X(EVP_CIPHER_CTX_ctrl) \
    X(EVP_CIPHER_CTX_set_padding) \
    X(EVP_aes_256_ecb) \
    X(EVP_aes_256_gcm) \
    X(EVP_EncryptInit_ex) \
    X(EVP_EncryptUpdate) \
    X(EVP_EncryptFinal_ex) \
    X(EVP_DecryptInit_ex) \
    X(EVP_DecryptUpdate) \
    X(EVP_DecryptFinal_ex) \
    X(HMAC)

struct copenssl_table {
#define COPENSSL_FIELD(name) __typeof__(&name) _Nonnull name;
    COPENSSL_FUNCTIONS(COPENSSL_FIELD)
#undef COPENSSL_FIELD
};

// The table, or null where the library or a function is missing; thread-safe.
const struct copenssl_table *_Nullable copenssl(void);

// Why copenssl() answered null. Only meaningful after it did.
const char *_Nonnull copenssl_error(void);

// Whether two runs of the same length are equal, in a time that depends on the length alone.
static inline int copenssl_equal(const uint8_t *_Nullable left, const uint8_t *_Nullable right, size_t count) {
    // Volatile reads keep the compiler from leaving the loop early.
    const volatile uint8_t *a = left, *b = right;
    uint8_t difference = 0;
    for (size_t at = 0; at < count; at++) difference |= (uint8_t)(a[at] ^ b[at]);
    return difference == 0;
}

#endif
