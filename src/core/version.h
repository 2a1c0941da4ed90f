/* SPDX-License-Identifier: BSD-2-Clause */
/* The one place of the version: the module's, the tool's, the packages'. */
#ifndef WBA_VERSION_H
#define WBA_VERSION_H

#define WBA_VERSION "0.1.0"

#endif
