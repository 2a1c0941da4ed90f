/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Visa's sample agent for TAP sends instead of a legal Signature-Input
 * (lenient visa-sample):
 *
 *     sig2=("@authority" "@path"); created=1; expires=2; keyId="k"; alg="a"
 *
 * keyId is no parameter key (RFC 9651 section 3.1.2: lower case only), so that
 * the field is no Dictionary.  The agent signs this very text, spaces and all,
 * and an @path with the query behind it (wba_sigbase_build_as_sent).
 */
#ifndef WBA_VISA_SAMPLE_H
#define WBA_VISA_SAMPLE_H

#include "sf.h"

/*
 * A copy of field, of the same length, with each parameter key of a member
 * that is exactly "keyId" written "keyid", so that byte i of the one is byte i
 * of the other.  Strings, Display Strings and what stands between parentheses
 * stay as they are, and so does every other error: whether the copy is a
 * Dictionary is for the parser to say.  WBA_OK, WBA_NOT_FOUND (there is no
 * such key), WBA_NO_MEMORY.
 */
wba_status_t wba_visa_sample_legalise(wba_str_t field, const wba_mem_t *mem,
                                      wba_str_t *legal);

/*
 * Whether a member of such a copy may be read: sent is what stands in its
 * place in the field.  False where keyId was one of several: which of them
 * names the key would be for each reader to choose.
 */
bool wba_visa_sample_single_key(const wba_sf_value_t *member, wba_str_t sent);

#endif
