/* SPDX-License-Identifier: BSD-2-Clause */
/* Places where money changes hands, by their names. */
#ifndef WBA_PAYING_H
#define WBA_PAYING_H

#include "str.h"

/*
 * Whether a location's name (a path, or a regular expression) says that one
 * pays there: it has the word buy, check-out, checkout, checkout-session,
 * checkout-sessions, order, pay, payment, payments, place-order or purchase.
 * Words are made of letters, digits, '-' and '_', which are one, in any case
 * of letters; "repay" and "payment-methods" are others.
 */
bool wba_name_pays(wba_str_t name);

#endif
