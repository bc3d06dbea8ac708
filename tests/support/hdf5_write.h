/* SPDX-License-Identifier: MIT
 * Writes attributes, groups and arrays of floats with libhdf5. Each function fails the test on
 * error. */
#ifndef SUPPORT_HDF5_WRITE_H
#define SUPPORT_HDF5_WRITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hdf5.h>

/** Write an attribute, with nothing in it if value is NULL. Closes type and space. */
static inline void hdf5_put_attribute(hid_t at, const char *name, hid_t type, hid_t space,
                                      const void *value) {
    const hid_t id = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0 && (!value || H5Awrite(id, type, value) >= 0));
    H5Aclose(id);
    H5Sclose(space);
    H5Tclose(type);
}

static inline void hdf5_put_text(hid_t at, const char *attribute, const char *text) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    hdf5_put_attribute(at, attribute, type, H5Screate(H5S_SCALAR), &text);
}

/** Make a group and its parents; H5Gclose() it. */
static inline hid_t hdf5_put_group(hid_t at, const char *path) {
    const hid_t plist = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(plist, 1);
    const hid_t id = H5Gcreate2(at, path, plist, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0);
    H5Pclose(plist);
    return id;
}

/** Write an array of floats, and create its parent groups. */
static inline void hdf5_put_array(hid_t at, const char *path, int rank, const hsize_t *lengths,
                                  const float *values) {
    const hid_t plist = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, lengths, NULL);
    H5Pset_create_intermediate_group(plist, 1);
    const hid_t id = H5Dcreate2(at, path, H5T_NATIVE_FLOAT, space, plist, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0 &&
                H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(plist);
}

#endif
