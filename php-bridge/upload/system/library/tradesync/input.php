<?php

namespace Tradesync;

/**
 * What a browser sent: one JSON object, each value taken only in the form that it must have.
 */
final class Input
{
    /** @var \stdClass */
    private $values;

    public function __construct(\stdClass $values)
    {
        $this->values = $values;
    }

    /**
     * Reads a request body.
     *
     * @throws Problem if it is no JSON object
     */
    public static function read(string $body): self
    {
        $values = $body === '' ? new \stdClass() : json_decode($body);
        if (!$values instanceof \stdClass) {
            throw new Problem(Problem::BAD_INPUT, 'the request is no JSON object');
        }

        return new self($values);
    }

    /**
     * An id of the service (or nothing, where it may be left out).
     *
     * @throws Problem
     */
    public function id(string $name, bool $needed = true): string
    {
        $value = $this->text($name, 64);
        if ($value === '' ? $needed : !preg_match('/^[A-Za-z0-9_-]+$/', $value)) {
            throw new Problem(Problem::BAD_INPUT, $name);
        }

        return $value;
    }

    /**
     * A text that must not be empty, such as the key of a Billz shop.
     *
     * @throws Problem
     */
    public function needed(string $name, int $most = 191): string
    {
        $value = $this->text($name, $most);
        if ($value === '') {
            throw new Problem(Problem::BAD_INPUT, $name);
        }

        return $value;
    }

    /**
     * A text, '' if it is absent.
     *
     * @throws Problem if it is too long, or no text
     */
    public function text(string $name, int $most = 1000): string
    {
        $value = $this->values->$name ?? '';
        if (is_int($value)) {
            $value = (string)$value;
        }
        if (!is_string($value) || strlen($value) > $most || preg_match('/[\x00-\x08\x0b\x0c\x0e-\x1f]/', $value)) {
            throw new Problem(Problem::BAD_INPUT, $name);
        }

        return trim($value);
    }

    /**
     * One of several words, the first if it is absent.
     *
     * @param string[] $allowed
     *
     * @throws Problem
     */
    public function oneOf(string $name, array $allowed): string
    {
        $value = $this->text($name);
        if ($value === '') {
            return $allowed[0];
        }
        if (!in_array($value, $allowed, true)) {
            throw new Problem(Problem::BAD_INPUT, $name);
        }

        return $value;
    }

    /**
     * Yes or no; no if it is absent.
     */
    public function flag(string $name): bool
    {
        return ($this->values->$name ?? false) === true;
    }

    /**
     * Whether the browser named it at all.
     */
    public function names(string $name): bool
    {
        return property_exists($this->values, $name);
    }

    /**
     * An object to be handed on as it is, for the service to judge.
     *
     * @throws Problem
     */
    public function object(string $name): \stdClass
    {
        $value = $this->values->$name ?? new \stdClass();
        if (!$value instanceof \stdClass) {
            throw new Problem(Problem::BAD_INPUT, $name);
        }

        return $value;
    }

    /**
     * A list to be handed on as it is.
     *
     * @return array<int, mixed>
     *
     * @throws Problem
     */
    public function list(string $name): array
    {
        $value = $this->values->$name ?? [];
        if (!is_array($value)) {
            throw new Problem(Problem::BAD_INPUT, $name);
        }

        return $value;
    }
}
