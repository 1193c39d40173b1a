// libyaml, linked as an archive: only tools read YAML, and none of them needs the library where it runs.
#ifndef CYAML_H
#define CYAML_H

#include <stddef.h>
#include <yaml.h>

// Loads the first document of a text. Answers 1, or 0 with the line (from 1) and the words of what is wrong; the
// words are the library's own constants. What was loaded is freed by yaml_document_delete; a text without any
// document gives one without a root.
int cyaml_load(
    const unsigned char *_Nonnull bytes, size_t count, yaml_document_t *_Nonnull document, size_t *_Nonnull line,
    const char *_Nullable *_Nonnull problem);

// The members of the node's union, which differ by its type.
static inline const char *_Nullable cyaml_tag(const yaml_node_t *_Nonnull node) { return (const char *)node->tag; }
static inline size_t cyaml_line(const yaml_node_t *_Nonnull node) { return node->start_mark.line + 1; }
static inline const unsigned char *_Nonnull cyaml_text(const yaml_node_t *_Nonnull node) { return node->data.scalar.value; }
static inline size_t cyaml_length(const yaml_node_t *_Nonnull node) { return node->data.scalar.length; }
static inline int cyaml_is_plain(const yaml_node_t *_Nonnull node) {
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}
static inline size_t cyaml_element_count(const yaml_node_t *_Nonnull node) {
    return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}
static inline int cyaml_element(const yaml_node_t *_Nonnull node, size_t index) {
    return node->data.sequence.items.start[index];
}
static inline size_t cyaml_pair_count(const yaml_node_t *_Nonnull node) {
    return (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
}
static inline int cyaml_key(const yaml_node_t *_Nonnull node, size_t index) {
    return node->data.mapping.pairs.start[index].key;
}
static inline int cyaml_value(const yaml_node_t *_Nonnull node, size_t index) {
    return node->data.mapping.pairs.start[index].value;
}

#endif
